# A master that was made a replica, as after a failover, is not read from, though
# nobody writes: what others write now is not there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use Test::IM;

my $t = Test::IM->new(one => 'it makes a replica of one', store => 'server unix:{{sock}}; timeout 1s; connections 3;')->start;
my $status = sub { $t->post('/im/unread', { from_id => 'a' })->status };

for my $busy (0, 1) {
    my $name = $busy ? 'reads all the time' : 'no call';
    $t->poll(3, sub { $status->() == 200 });
    my $before = length $t->error_log;
    $t->redis(qw(REPLICAOF 127.0.0.1 1));
    if ($busy) {
        ok($t->poll(9, sub { $status->() == 503 }), "$name: not read from any more");
    } else {
        ok($t->poll(9, sub { substr($t->error_log, $before) =~ /replica/ }), "$name: noticed");
    }
    sleep 0.5;
    is($status->(), 503, 'and stays so') for 1 .. 3;
    my @lines = substr($t->error_log, $before) =~ /\[error\][^\n]*"store"[^\n]*/g;
    like($lines[0] // '', qr/replica/, 'the log tells why');
    cmp_ok(scalar @lines, '<=', 2, 'once') or diag(join "\n", @lines);
    $t->redis(qw(REPLICAOF NO ONE));
    ok($t->poll(3, sub { $status->() == 200 }), 'a master again: served');
}

$t->done;
done_testing;
