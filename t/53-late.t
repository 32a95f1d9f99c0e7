# A worker that was late, as it did something else for a while within a turn of
# its event loop, does not blame Redis: no connection is given up, and what is
# stored is answered 200.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Fcntl;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;

# The worker is in open() of a FIFO until somebody writes into it.
my $t = Test::IM->new(
    store => 'server unix:{{dir}}/p.sock; timeout ' . ms(400) . ';',
    conf_server => <<'CONF',
        location = /block { auth_basic x; auth_basic_user_file {{dir}}/fifo; }
CONF
);
POSIX::mkfifo("$t->{dir}/fifo", 0666) or die "mkfifo: $!";
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;
my $block = "GET /block HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\n\r\n";

sub lost { return () = $t->error_log =~ /lost the connection/g }

# what is sent is in one turn, in this order, and the worker is late within it
sub turn {
    my ($seconds, @bytes) = @_;
    my @conn = map { $t->connect } @bytes;
    $t->get('/site') for 1, 2;      # all are accepted
    my ($pid) = $t->worker_pids;
    kill STOP => $pid;
    for (0 .. $#bytes) { $conn[$_]->send($bytes[$_]); sleep 0.01 }
    kill CONT => $pid;
    sleep $seconds * $scale;
    sysopen my $fifo, "$t->{dir}/fifo", O_WRONLY or die "fifo: $!";
    close $fifo;
    return @conn;
}

for my $seconds (0.6, 1.5) {
    for my $order ('behind it', 'before it', 'around it') {
        my ($a, $b) = fresh();
        $t->call('/im/unread', { from_id => $a });
        my $lost = lost();
        my $had = $p->stat->{accepted};
        my @im = (bytes('/im/send/msg', body($a, $b, 'x', client_msg_id => 'k')),
                  bytes('/im/send/msg', body($b, $a, 'y')), bytes('/im/conv/list', { from_id => $a }));
        my @bytes = $order eq 'behind it' ? ($block, @im) : $order eq 'before it' ? (@im, $block)
                  : ($im[0], $block, @im[1, 2]);
        my @conn = turn($seconds, @bytes);
        my @status = map { $conn[$_]->read_response->status } grep { $bytes[$_] ne $block } 0 .. $#bytes;
        is_deeply(\@status, [ 200, 200, 200 ], "$seconds s, calls $order: served");
        is(lost(), $lost, 'no connection is given up');
        is($p->stat->{accepted}, $had, 'nor made');
    }

    # calls are under way when it begins, and Redis answers while it lasts
    my ($a, $b) = fresh();
    my $lost = lost();
    $p->delay(100);
    my @im = map { $t->connect } 1 .. 3;
    $im[0]->send(bytes('/im/send/msg', body($a, $b, 'x')));
    $im[1]->send(bytes('/im/send/msg', body($b, $a, 'y')));
    $im[2]->send(bytes('/im/conv/list', { from_id => $a }));
    $t->get('/site');
    my $c = $t->connect;
    $c->send($block);
    sleep $seconds * $scale;
    sysopen my $fifo, "$t->{dir}/fifo", O_WRONLY or die "fifo: $!";
    close $fifo;
    $p->pass;
    is_deeply([ map { $_->read_response->status } @im ], [ 200, 200, 200 ], "$seconds s, calls under way: served");
    is(lost(), $lost, 'no connection is given up');
}

# though what Redis does not answer is answered in time
{
    my ($a, $b) = fresh();
    $p->hold;
    my @conn = turn(0.6, bytes('/im/unread', { from_id => $a }), $block);
    my $t0 = time;
    my $r = $conn[0]->read_response;
    like($r->code, qr/^store_/, 'late, and no answer: refused');
    cmp_ok(time - $t0, '<', 3 * $scale, 'not for ever late');
    $p->pass;
    ok($t->poll(3, sub { $t->post('/im/unread', { from_id => $a })->status == 200 }), 'and served again');
}

$t->done(qr/fifo|\[crit\]/);
$p->stop;
done_testing;
