# Parts of the suite behind a Sentinel; "make test SENTINEL=1" runs all of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;
use Test::IM::Suite;

plain_only('starts tests of its own');

suite_run(IM_SENTINEL => qw(50-contract 43-model 60-history));

done_testing;
