# Fetches with a right CA and a wrong one, in several ways, and prints what came of each.
#
# Usage: fetch.rb PORT RIGHT WRONG EXTRA
#
# EXTRA is a certificate that neither of the bundles has.
require "net/http"
require "openssl"
require "digest"

port, right, wrong, extra = ARGV

def attempt(name)
  result = yield
rescue OpenSSL::OpenSSLError, SystemCallError => error
  puts "#{name}: #{error.class}: #{error.message}"
else
  puts "#{name}: #{result}"
end

def fetch(port, **settings)
  http = Net::HTTP.new("localhost", port)
  http.use_ssl = true
  settings.each { |name, value| http.public_send("#{name}=", value) }
  http.start { |open| open.get("/").code }
end

def handshake(port, context)
  socket = TCPSocket.new("127.0.0.1", port)
  tls = OpenSSL::SSL::SSLSocket.new(socket, context)
  tls.hostname = "localhost"
  tls.connect
  tls.ssl_version
ensure
  socket&.close
end

def store(*files, extra: nil)
  made = OpenSSL::X509::Store.new
  made.add_cert(OpenSSL::X509::Certificate.new(File.read(extra))) if extra
  files.each { |file| made.add_file(file) }
  made
end

def context(store)
  made = OpenSSL::SSL::SSLContext.new
  made.set_params(cert_store: store)
  made
end

2.times do
  { "right" => right, "wrong" => wrong }.each do |name, bundle|
    attempt("ca_file, #{name}") { fetch(port, ca_file: bundle) }
    attempt("store, #{name}") { fetch(port, cert_store: store(bundle)) }
    attempt("filled store, #{name}") { fetch(port, cert_store: store(bundle, extra: extra)) }
    shared = store(extra: extra)
    contexts = Array.new(3) { context(shared) }
    # Loaded when the store belongs to several contexts already.
    shared.add_file(bundle)
    contexts.each { |one| attempt("one store for all, #{name}") { handshake(port, one) } }
  end
  # Loading appends.
  attempt("both, wrong first") { fetch(port, cert_store: store(wrong, right)) }
  # What one store is told to ask for, another isn't.
  strict, plain = store(right), store(right)
  strict.flags = OpenSSL::X509::V_FLAG_CRL_CHECK
  attempt("strict") { fetch(port, cert_store: strict) }
  attempt("plain") { fetch(port, cert_store: plain) }
  # A store of the wrong bundle that was given the right certificate, and one that wasn't.
  given, other = store(wrong), store(wrong)
  given.add_file(right)
  attempt("given") { fetch(port, cert_store: given) }
  attempt("not given") { fetch(port, cert_store: other) }
end
attempt("missing") { store("/nonexistent/bundle") }
attempt("missing ca_file") { fetch(port, ca_file: "/nonexistent/bundle") }
