# Parts of the suite over TLS to Redis; "make test TLS=1" runs all of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;
use Test::IM::Suite;

plain_only('starts tests of its own');
plan skip_all => 'no openssl' if !Test::IM::TLS::available();

suite_run(IM_TLS => qw(50-contract 43-model 60-history));

done_testing;
