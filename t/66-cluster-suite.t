# Parts of the suite on a Redis Cluster; "make test CLUSTER=1" runs all of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;
use Test::IM::Suite;

plan skip_all => 'the suite itself runs on a cluster' if $ENV{IM_CLUSTER};

suite_run(IM_CLUSTER => qw(34-read 43-model 50-contract 56-group-life 57-cursor
                           58-unread));

done_testing;
