# The parts of the suite on the contract, the model and the history, behind a Sentinel.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;

plain_only('starts tests of its own');

for my $test (qw(50-contract 43-model 60-history)) {
    local $ENV{IM_SENTINEL} = 1;
    my $out = `cd $Test::IM::ROOT && $^X -It/lib -It/fault t/$test.t 2>&1`;
    is($?, 0, $test) or diag($out);
    my $said = () = $out =~ /^ok/mg;
    cmp_ok($said, '>', 5, "$test: tests were run");
}

done_testing;
