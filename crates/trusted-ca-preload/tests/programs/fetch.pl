# Fetches a page twice, each time with a context of its own. Usage: fetch.pl PORT BUNDLE
use strict;
use warnings;
use IO::Socket::SSL;

my ($port, $bundle) = @ARGV;
for (1, 2) {
    my $socket = IO::Socket::SSL->new(
        PeerHost => 'localhost',
        PeerPort => $port,
        SSL_ca_file => $bundle,
    ) or die "refused: $SSL_ERROR\n";
    print $socket "GET / HTTP/1.0\r\n\r\n";
    print scalar <$socket>;
}
