//! HTTPS from Lua: what nginx thinks of a server's certificate.

use suite::nginx::Master;

use crate::common::Server;

/// Lua that connects to the port in the query and answers with its verdict.
///
/// Where the handshake is done at once, which is a matter of scheduling, `lua-resty-core` 0.1.25
/// loses the reason of a refusal and fails an assertion instead: the `pcall`.
const HANDSHAKE: &str = r#"content_by_lua_block {
    local socket = ngx.socket.tcp()
    assert(socket:connect("127.0.0.1", tonumber(ngx.var.arg_port)))
    local done, session, why = pcall(socket.sslhandshake, socket, nil, "localhost", true)
    socket:close()
    ngx.print(not done and "see the log" or session and "accepted" or why)
}
"#;

/// What a server that is trusted is told.
pub const ACCEPTED: &str = "accepted";

/// A location that shakes hands, with these directives of its own.
pub fn location(name: &str, directives: &str) -> String {
    format!("location = /{name} {{ {directives}\n{HANDSHAKE}}}\n")
}

/// What this location thinks of this server: [`ACCEPTED`], or OpenSSL's number and words.
pub fn verdict(master: &Master, location: &str, server: &Server) -> String {
    let before = master.site.errors().len();
    let path = format!("/{location}?port={}", server.port);
    let answer = master.get(&path).expect("Lua answers");
    if answer != "see the log" {
        return answer;
    }
    let errors = master.site.errors();
    let said = errors[before..].split_once("certificate verify error: (");
    let why = said.and_then(|(_, rest)| rest.split_once("),"));
    let (why, _) = why.unwrap_or_else(|| panic!("no refusal in {:?}", &errors[before..]));
    why.to_owned()
}
