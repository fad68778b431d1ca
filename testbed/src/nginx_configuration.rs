//! A configuration for nginx in a root. Every location has settings of its own, with the line and without:
//! lua-nginx-module from 0.10.26 on gives those that only inherit one context, and then there is
//! nothing to share.

use crate::testbed::Testbed;

const MODULES: &str = "/usr/lib/nginx/modules";

pub fn name(has_line: bool, locations: u32) -> String {
    let line = if has_line { "with" } else { "without" };
    format!("nginx-{line}-{locations}.conf")
}

/// Writes it to a place's directory.
pub fn write(place: &Testbed, has_line: bool, locations: u32) -> anyhow::Result<()> {
    let text = text(&place.directory(), has_line, locations);
    place.write(&name(has_line, locations), text)
}

/// So many locations, with the line or without it. In `files`, a directory inside, nginx finds
/// `bundle.pem` and leaves what it writes.
fn text(files: &str, has_line: bool, locations: u32) -> String {
    let line = match has_line {
        true => format!("lua_ssl_trusted_certificate {files}/bundle.pem;"),
        false => String::new(),
    };
    let locations: String = (1..=locations)
        .map(|number| format!("    location /{number} {{ lua_ssl_verify_depth 1; {line} }}\n"))
        .collect();
    format!(
        "load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
pid {files}/nginx.pid;
events {{}}
http {{
    access_log off;
    server {{ listen unix:{files}/nginx.socket;
{locations}    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn the_line_stands_in_every_location() {
        let line = "lua_ssl_trusted_certificate";
        assert_eq!(text("/files", true, 7).matches(line).count(), 7);
        assert_eq!(text("/files", false, 7).matches(line).count(), 0);
        assert_eq!(text("/files", false, 7).matches("location /").count(), 7);
    }
}
