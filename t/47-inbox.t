# A message is in both lists when it is acknowledged, and the newest are first,
# although an inbox need not be written for every message: whatever a worker
# remembers of it, what Redis lost, or who died in between.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;
my $t = Test::IM->new(
    workers => 2,
    redis_args => [qw(--appendonly no)],
    store => "server unix:{{dir}}/p.sock; timeout ${scale}s;",
    conf_http => "im_redis few { server unix:{{dir}}/p.sock; timeout ${scale}s; }",
    conf_server => 'location /few/ { im_pass few; im_list_max 3; }',
    log_format => '$im_call $im_code $im_store_commands $im_conv_id',
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $n = 0;

sub say_to {
    my ($from, $to, $base) = @_;
    my $r = $t->post(($base || '/im') . '/send/msg',
        { from_id => $from, to_id => $to, msg => 'm' . ++$n, msg_type => 0 });
    return $r->status == 200 ? "m$n" : $r->code;
}

sub listed {        # "other user: last message" of each, in the order of the list
    my ($user, $base) = @_;
    return join ' ', map { my ($o) = grep { $_ ne $user } @{ $_->{conv_users} };
                           "$o:$_->{last_msg}" }
        @{ $t->call(($base || '/im') . '/conv/list', { from_id => $user })->json };
}

sub commands {      # of the last send
    my @l = grep { /^send / } split /\n/, $t->access_log;
    return (split ' ', $l[-1])[2];
}

# long enough for what was noted to be believed
say_to('warm', 'up');
sleep 1.2 * $scale;


# --- both lists, at once, with and without a write of the inbox

{
    my $m = say_to('ann', 'bob');
    is(listed('bob'), "ann:$m", 'the first message is in the list of the other');
    is(listed('ann'), "bob:$m", 'and in that of the sender');

    my $spared = 0;
    for (1 .. 8) {
        my ($from, $to) = $_ % 2 ? qw(bob ann) : qw(ann bob);
        $m = say_to($from, $to);
        is(listed('bob'), "ann:$m", "message $m of the other");
        is(listed('ann'), "bob:$m", 'and of the sender');
        $t->poll(1, sub { (() = $t->access_log =~ /^send /mg) >= $n });
        $spared++ if commands() == 1;
    }
    cmp_ok($spared, '>=', 4, "$spared of 8 sends asked for one command only");
}


# --- order and the last place

{
    my @peer = map { "p$_" } 1 .. 40;
    say_to($_, 'doc', '/few') for @peer;
    my @newest;
    for my $k (3, 1, 39, 3, 20, 7, 1, 40, 2) {
        sleep 0.003;        # in one millisecond neither is the newer
        my $m = say_to("p$k", 'doc', '/few');
        @newest = ("p$k:$m", grep { !/^p$k:/ } @newest);
        is(listed('doc', '/few'), join(' ', @newest[0 .. 2]), "p$k is first")
            if @newest >= 3;
    }
    is(scalar(split ' ', listed('doc')), 40, 'all are there where there is room');

    my @all = split ' ', listed('doc');
    is(listed('doc', '/few'), join(' ', @all[0 .. 2]), 'a short list is the head of a long one');
}


# --- what Redis has lost is written again

{
    my $m = say_to('cat', 'dan');
    $m = say_to('cat', 'dan');
    $t->redis('FLUSHALL');
    $m = say_to('cat', 'dan');
    is(listed('dan'), "cat:$m", 'after FLUSHALL a conversation is listed anew');

    # a crash between the two: the conversation is there, the entry is not
    my $said = say_to('eve', 'fox') && say_to('eve', 'fox');
    is(listed('fox'), "eve:$said", 'listed');
    my %key = map { $_ => $t->redis('DUMP', $_) } @{ $t->redis('KEYS', 'im:{c:*') };
    $t->stop_redis('KILL');
    $t->start_redis;
    $t->redis('RESTORE', $_, 0, $key{$_}) for keys %key;
    $t->poll(3, sub { $t->post('/im/unread', { from_id => 'fox' })->status == 200 });
    is(listed('fox'), '', 'lost with the crash');
    my $ok;
    $t->poll(3, sub { $ok = say_to('fox', 'eve'); $ok =~ /^m/ });
    is(listed('fox'), "eve:$ok", 'and there with the next message');
    is(listed('eve'), "fox:$ok", 'for both');
}


# --- a worker dies between the two writes of a send

{
    sleep 1.2 * $scale;
    for my $first (1, 0) {
        my ($x, $y) = ("x$first", "y$first");
        say_to($x, $y) unless $first;

        # listed long ago, and no worker knows of it
        if (!$first) {
            $t->redis('ZADD', "im:{u:$_}:i", 1, $t->redis('ZRANGE', "im:{u:$_}:i", 0, 0)->[0]) for $x, $y;
            kill HUP => $t->master_pid;
            my @w = $t->worker_pids;
            $t->poll(5, sub { my @now = $t->worker_pids; @now == 2 && "@now" ne "@w" });
        }

        $p->freeze('always', '^zadd');
        my $c = $t->connect;
        my $json = qq({"from_id":"$x","to_id":"$y","msg":"lost","msg_type":0});
        $c->send("POST /im/send/msg HTTP/1.1\r\nHost: x\r\nContent-Length: "
            . length($json) . "\r\n\r\n$json");
        ok($t->poll(2, sub { grep { ($t->redis('GET', $_) // '') =~ /lost$/ }
                             @{ $t->redis('KEYS', 'im:{c:*}:h') } }),
           'stored, and not yet listed');
        my @w = $t->worker_pids;
        kill KILL => @w;
        $t->poll(5, sub { my @now = $t->worker_pids; @now == 2 && "@now" ne "@w" });
        $p->pass;
        $p->close;

        my $m;
        $t->poll(3, sub { $m = eval { say_to($x, $y) } // ''; $m =~ /^m/ });
        is(listed($y), "$x:$m", 'the next message brings it into the list of the other');
        is(listed($x), "$y:$m", 'and of the sender');
        is($t->unread($y), $first ? 2 : 3, 'where nothing is missing');
        $t->redis('DEL', @{ $t->redis('KEYS', 'im:{c:*') });
    }
}

$t->done(qr/exited on signal 9|lost the connection|store_unavailable|refused|outcome_unknown/);
done_testing;
