#!/usr/bin/perl

# Slots of a Redis Cluster are moved, and a primary is killed, under writers
# and readers whose history is checked.  t/fault/reshard does more of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;

use History;
use Reshard;
use Test::IM;

$Test::IM::OpenAPI::ON = 0;

my $t = Test::IM->new(workers => 2, conf_im => 'im_reply full;',
    cluster => { masters => 3, replicas => 3, timeout => 3000 },
    conf_server => 'location = /status { im_status json; }')->start;
my $h = History->new(t => $t, writers => 3, readers => 1, pace => 0.002)
               ->setup->start;

my $r = Reshard::run($t, $h, 60);
cmp_ok($r->{redirects_moved} + $r->{redirects_ask}, '>', 0,
       "redirected: $r->{redirects_moved} MOVED, $r->{redirects_ask} ASK");
cmp_ok($r->{redirects_moved}, '<=', 60 * 2 * 3,
       'at most three for each slot and worker');
my $failed = Reshard::failed($t);
$h->stop;

SKIP: {

    # a machine that stands still for seconds makes one of the nodes fail

    skip 'a node of the cluster was without an answer for too long', 2
        if grep { Test::IM::slurp("$_->{dir}/redis.out") =~ /Marking node/ }
           $t->cluster->nodes;

    is($failed, 0, "no request of $r->{requests} has failed");
    my $report = $h->check;
    is(History::summary($report), '', "$report->{acked} messages, all well")
        or diag explain $report->{notes};
}

my $k = Reshard::kill_primary($t, $h);
ok($k->{back}, sprintf 'its slots are served again, %.1f s after a primary was'
   . ' killed', $k->{seconds});
is($k->{failed}, 0, 'no request for another slot has failed');

$t->done;
done_testing;
