#!/usr/bin/perl

# Parts of the suite on a Redis Cluster; "make test CLUSTER=1" runs all of it.

use strict;
use warnings;

use FindBin;
use Test::More;

plan(skip_all => 'the suite itself runs on a cluster') if $ENV{IM_CLUSTER};

for my $file (qw(34-read 43-model 50-contract 56-group-life 57-cursor
                 58-unread))
{
    local $ENV{IM_CLUSTER} = 1;
    my $out = '';
    my $pid = open(my $fh, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec $^X, (map { "-I$_" } "$FindBin::Bin/lib", "$FindBin::Bin/fault"),
             "$FindBin::Bin/$file.t" or die "exec: $!";
    }
    $out .= $_ while <$fh>;
    close $fh;
    is($?, 0, "t/$file.t on a cluster")
        or diag join "\n", grep { !/^ok / } split /\n/, $out;
    like($out, qr/^ok [1-9]/m, 'and it is not skipped');
}

done_testing;
