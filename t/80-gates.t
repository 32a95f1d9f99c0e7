# What a call costs in instructions, commands and system calls has not grown:
# t/bench/gates, which holds them in t/bench/gates.json.  It takes a minute and
# needs valgrind, strace and wrk, so only continuous integration (CI=true) and
# who asks (IM_GATES=1) run it.

use strict;
use warnings;

use FindBin;
use Test::More;

plan skip_all => 'valgrind in valgrind' if $ENV{IM_VALGRIND} || $ENV{IM_NGINX};
plan skip_all => 'set IM_GATES=1' unless $ENV{IM_GATES} || ($ENV{CI} // '') eq 'true';

exec "$FindBin::Bin/bench/gates" or die "$!\n";
