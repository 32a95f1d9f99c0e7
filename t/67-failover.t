# A short run of t/fault/failovers: the master is replaced by order, and killed,
# while messages are sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use Test::IM;

my $scale = $Test::IM::SCALE;

my $out = `$^X $FindBin::Bin/fault/failovers --sentinels 1 --json 2 2>&1`;
my ($sum) = map { eval { JSON::PP::decode_json($_) } } grep { /^\{/ } split /\n/, $out;
is($?, 0, 'two failovers') or diag($out);
cmp_ok($sum->{acked} // 0, '>', 100, 'messages were sent');
is($sum->{$_}, 0, "none $_") for qw(doubled phantom order);
cmp_ok($sum->{order_silent_max} // 99, '<', 4 * $scale, 'by order: sends go on');
cmp_ok($sum->{kill_silent_max} // 99, '<', ($sum->{kill_switched_max} // 0) + 3 * $scale,
       'by a death: sends go on when there is a new master');

done_testing;
