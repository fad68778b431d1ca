# A big structure, of which every fiftieth part stays. Says "ready", and ends at the next line of
# standard input.

use strict;
use warnings;

my %structure = map { $_ => join '', 'x' x (600 + $_ * 37 % 9000) } 1 .. 20_000;
delete @structure{ grep { $_ % 50 } keys %structure };
$| = 1;
print "ready\n";
my $line = <STDIN>;
