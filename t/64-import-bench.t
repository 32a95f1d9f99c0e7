# t/bench/import, as small as it may be: its limits hold in proportion.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;

my $out = qx($Test::IM::ROOT/t/bench/import --messages 6000 --conversations 60 --check 2>&1);
is($?, 0, 'map and load, twice, in time and memory') or diag($out);
like($out, qr/6,000 messages in 60 conversations/, 'a table');

done_testing;
