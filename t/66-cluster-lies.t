#!/usr/bin/perl

# A cluster that lies or is out of order: callers get 503 within the deadline,
# and nobody else notices anything.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Test::IM;

my @LOST = ('192.0.2.1', 6379);


sub bulk  { '$' . length($_[0]) . "\r\n$_[0]\r\n" }
sub array { '*' . @_ . "\r\n" . join '', @_ }
sub int_r { ":$_[0]\r\n" }

sub range {
    my ($first, $last, $host, $port, @more) = @_;
    return array(int_r($first), int_r($last),
                 array(defined $host ? bulk($host) : "\$-1\r\n", int_r($port),
                       bulk('id'), @more));
}

# name => [ reply to CLUSTER SLOTS, reply to a command: ($port, $slot) ]

my %lie = (
    empty   => [ sub { array() } ],
    status  => [ sub { "+OK\r\n" } ],
    number  => [ sub { int_r(1) } ],
    refused => [ sub { "-ERR This instance has cluster support disabled\r\n" } ],
    noperm  => [ sub { "-NOPERM this user has no permissions\r\n" } ],
    shape   => [ sub { array(array(int_r(0), int_r(1))) } ],
    wrong   => [ sub { array(range(9, 5, '127.0.0.1', $_[0])) } ],
    beyond  => [ sub { array(range(0, 16384, '127.0.0.1', $_[0])) } ],
    twice   => [ sub { array(map { range(0, 16383, '127.0.0.1', $_[0]) } 1, 2) } ],
    port    => [ sub { array(range(0, 16383, '127.0.0.1', 0)) } ],
    name    => [ sub { array(range(0, 16383, '?', $_[0])) } ],
    nobody  => [ sub { array(range(0, 16383, 'no.such.host', $_[0])) } ],
    lost    => [ sub { array(range(0, 16383, @LOST)) } ],
    closed  => [ sub { array(range(0, 16383, '127.0.0.1', 1)) } ],
    half    => [ sub { array(range(0, 0, '127.0.0.1', $_[0])) } ],
    many    => [ sub { array(map { range($_, $_, "127.1.$_.1" =~ s/\.(\d+)\.1$/
                     '.' . ($1 >> 8) . '.' . ($1 & 255)/er, 1) } 0 .. 1999) } ],
    moved   => [ undef, sub { "-MOVED $_[1] 127.0.0.1:$_[0]\r\n" } ],
    away    => [ undef, sub { "-MOVED $_[1] $LOST[0]:$LOST[1]\r\n" } ],
    random  => [ undef, sub { "-MOVED $_[1] 127.0.0." . int(rand 250) . ":1\r\n" } ],
    other   => [ undef, sub { "-MOVED " . ($_[1] ^ 1) . " 127.0.0.1:$_[0]\r\n" } ],
    words   => [ undef, sub { "-MOVED\r\n" } ],
    slotless => [ undef, sub { "-MOVED x 127.0.0.1:$_[0]\r\n" } ],
    portless => [ undef, sub { "-MOVED $_[1] 127.0.0.1\r\n" } ],
    host    => [ undef, sub { "-MOVED $_[1] :$_[0]\r\n" } ],
    ask     => [ undef, sub { "-ASK $_[1] 127.0.0.1:$_[0]\r\n" } ],
    again   => [ undef, sub { "-TRYAGAIN Multiple keys request\r\n" } ],
    down    => [ undef, sub { "-CLUSTERDOWN The cluster is down\r\n" } ],
    loading => [ undef, sub { "-LOADING Redis is loading\r\n" } ],
    replica => [ undef, sub { "-READONLY You can't write\r\n" } ],
);

my (%port, @pids);

for my $name (sort keys %lie) {
    my $l = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
        or die "listen: $!";
    $port{$name} = $l->sockport;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        serve($l, $port{$name}, @{ $lie{$name} });
        POSIX::_exit(0);
    }
    push @pids, $pid;
    close $l;
}

END { my $rc = $?; kill KILL => @pids; waitpid $_, 0 for @pids; $? = $rc }

my $ms = 1000 * $Test::IM::SCALE;
my $t = Test::IM->new(one => 'it has stores of its own',
    conf_http => join('', map {
        "im_redis $_ { server 127.0.0.1:$port{$_}; cluster on;"
        . " timeout ${ms}ms; connect_timeout 300ms; }\n" } sort keys %port),
    conf_server => join '', map {
        "location /$_/ { im_pass $_; }\n" } sort keys %port)->start;


# all at once, and a caller of a store that is well beside them

my %conn;
my $start = time;

for my $name (sort keys %lie) {
    $conn{$name} = $t->connect;
    $conn{$name}->send(Test::IM::bytes("/$name/send/msg",
                                       body('ann', 'bob', $name)));
}

my ($n, $slow) = (0, 0);
while ($n < 50) {
    my $begun = time;
    $t->say(cyd => 'dan', 'well');
    $slow = time - $begun if time - $begun > $slow;
    $n++;
    select undef, undef, undef, 0.01;
}

for my $name (sort keys %lie) {
    my $r = $conn{$name}->read_response;
    is($r->status, 503, "$name: 503") or diag $r->body;
}

my $took = time - $start;
cmp_ok($took, '<', $ms / 1000 + 5 * $Test::IM::SCALE,
       sprintf 'all of them within %.1f s', $took);
cmp_ok($slow, '<', 2 * $Test::IM::SCALE,
       sprintf 'the store that is well answers within %.0f ms', 1000 * $slow);
is($t->post('/im/unread', { from_id => 'dan' })->json->{total}, $n,
   'and has all of its messages');

$t->reload;
is($t->say(cyd => 'dan', 'reloaded')->status, 200, 'a reload ends well');

$t->done;
done_testing;


# a server that is asked for its slots

sub serve {
    my ($l, $port, $slots, $reply) = @_;
    my (%in, $select);
    $slots ||= sub { array(range(0, 16383, '127.0.0.1', $_[0])) };
    $reply ||= sub { "-ERR unexpected\r\n" };
    $select = IO::Select->new($l);

    while (1) {
        for my $s ($select->can_read) {
            if ($s == $l) {
                my $new = $l->accept or next;
                $select->add($new);
                $in{$new} = '';
                next;
            }
            if (!sysread $s, $in{$s}, 65536, length $in{$s}) {
                $select->remove($s);
                delete $in{$s};
                close $s;
                next;
            }
            while (my @cmd = command(\$in{$s})) {
                my $name = uc $cmd[0];
                syswrite $s, $name eq 'ECHO'   ? bulk($cmd[1])
                           : $name eq 'SCRIPT' ? bulk('0' x 40)
                           : $name eq 'INFO'   ? bulk("role:master\r\ncluster_enabled:1\r\n")
                           : $name eq 'ASKING' ? "+OK\r\n"
                           : $name eq 'EVAL' || @cmd < 4 && $name eq 'EVALSHA'
                                               ? array(map { bulk('') } 1 .. 3)
                           : $name eq 'CLUSTER' ? $slots->($port)
                           : $reply->($port, Test::IM::Cluster::slot(
                                 $name eq 'EVALSHA' ? $cmd[3] : $cmd[1]));
            }
        }
    }
}


sub command {
    my ($in) = @_;
    $$in =~ /\A\*(\d+)\r\n/ or return;
    my ($argc, $at, @cmd) = ($1, $+[0]);
    for (1 .. $argc) {
        pos($$in) = $at;
        $$in =~ /\G\$(\d+)\r\n/gc or return;
        my $from = pos $$in;
        return if length($$in) < $from + $1 + 2;
        push @cmd, substr $$in, $from, $1;
        $at = $from + $1 + 2;
    }
    substr $$in, 0, $at, '';
    return @cmd;
}
