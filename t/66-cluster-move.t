#!/usr/bin/perl

# A single Redis becomes a cluster, as docs/scaling.md tells.

use strict;
use warnings;

use Test::More;

use Test::IM;

my $t = Test::IM->new(one => 'it becomes a cluster', redis_tcp => 1, tls => 0,
                      redis_args => [qw(--appendonly yes)])->start;

$t->say('ann', "u$_", "one $_") for 1 .. 40;
my $conv = $t->group('ann', [qw(bob)], conv_id => 'room');
$t->say_in('ann', 'room', 'two');
my $pages = [ map { $t->texts($t->pair(ann => "u$_")) } 1 .. 40 ];

$t->stop_redis;
my @cluster = ('--cluster-enabled', 'yes', '--cluster-node-timeout', 5000);
$t->{redis_args} = [qw(--appendonly yes), @cluster,
                    '--cluster-port', Test::IM::free_port()];
$t->start_redis;
$t->poll(10, sub { $t->redis('INFO', 'persistence') =~ /^loading:0/m });

# Redis has taken the slots in which there are keys
my $said = $t->run('sh', '-c', 'echo yes | redis-cli --cluster fix 127.0.0.1:'
                   . $t->redis_port);
my $ok = sub { $t->redis(qw(CLUSTER INFO)) =~ /cluster_state:ok/ };
ok($t->poll(10, $ok), 'a cluster of one node') or diag $said;

$t->write_file('nginx.conf', $t->conf(
    store => 'server 127.0.0.1:{{redis_port}}; cluster on;'));
$t->reload;

ok($t->poll(10, sub { $t->post('/im/unread', { from_id => 'u1' })->status
                      == 200 }), 'nginx uses it');
is_deeply([ map { $t->texts($t->pair(ann => "u$_")) } 1 .. 40 ], $pages,
          'the data is there');
is($t->page('room')->[0]{msg}, 'two', 'groups, too');
$t->say('ann', 'u1', 'three');
is(scalar @{ $t->list('ann') }, 41, 'and the list');

$t->done('cluster mode');
done_testing;
