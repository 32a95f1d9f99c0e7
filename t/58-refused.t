# What a store that refuses, breaks or forgets costs: a message that is sent
# twice by the module itself, a page that cannot be read, a conversation that is
# in no list.

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
    store => "server unix:{{dir}}/p.sock; timeout ${scale}s;",
    conf_server => <<"CONF",
        location /none/  { im_pass store; im_idempotency_window 0; }
        location /short/ { im_pass store; im_idempotency_window 300ms; }
        location /twice/ { im_pass store; im_idempotency_window @{[ 2 * $scale ]}s; }
        location /long/  { im_pass store; im_idempotency_window 1h; }
CONF
    log_format => '$im_call $im_code $im_store_commands',
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $n = 0;

sub send_to {
    my ($base, $from, $to, $msg, %more) = @_;
    return $t->post("$base/send/msg", { from_id => $from, to_id => $to, msg => $msg,
        msg_type => 0, %more });
}

sub stored {
    my ($from, $to, $msg) = @_;
    my $page = $t->pair($from, $to, page_size => 50);
    return scalar grep { $_->{msg} eq $msg } @$page;
}

sub well {
    $p->pass;
    return $t->poll(5, sub { $t->post('/im/user/get', { ids => [ 'w' . $n++ ] })->status == 200 });
}


# --- a send is repeated by the module only while its client_msg_id is known

for my $base (qw(/none /short /twice /long /im)) {
    my $known = $base eq '/long' || $base eq '/im';

    for my $fault ([ 'the reply is cut off', qw(reply 0) ], [ 'in the middle', qw(reply 5) ],
                   [ 'the command is cut off', qw(command 60) ]) {
        my ($name, $what, $bytes) = @$fault;

        for my $with (1, 0) {
            my ($from, $to) = fresh();
            send_to('/im', $from, $to, 'first');
            my $msg = 'text' . ++$n;
            $p->cut($what, $bytes, 1, "^evalsha .*$msg");
            my $r = send_to($base, $from, $to, $msg, $with ? (client_msg_id => "k$n") : ());
            ok(well(), "$base, $name: the store is back");
            my $is = stored($from, $to, $msg);

            if ($known && $with) {
                is($r->status, 200, 'repeated, as its client_msg_id is known');
                is($is, 1, 'and stored once');
            } else {
                is($r->code, 'outcome_unknown', $with ? 'not repeated, as it may be forgotten'
                                                      : 'not repeated without client_msg_id');
                is($is, $what eq 'reply' ? 1 : 0, $is ? 'stored once' : 'not stored');
            }
        }
    }
}


# --- a store that takes no writes can still be read

my $group = $t->group('own', [qw(mem)]);
my $text = 0;

sub refuses {
    my ($name, $begin, $end) = @_;
    my ($one, $two) = fresh();
    my $said = 'm' . ++$text;
    my $conv = $t->say($one => $two, $said)->conv_id;
    $t->say_in('own', $group, $said);

    $begin->();
    my $r;
    for my $case (
        [ 'a page of a 1:1'   => "conv/$conv", { from_id => $two } ],
        [ 'of two users'      => 'from/to', { from_id => $two, to_id => $one } ],
        [ 'of a group'        => "conv/$group", { from_id => 'mem' } ],
        [ 'again'             => "conv/$group", { from_id => 'mem', page_size => 1 } ],
        [ 'after a cursor'    => "conv/$conv", { from_id => $two, after => '' } ],
    ) {
        my ($what, $path, $body) = @$case;
        $t->poll(3, sub { ($r = $t->post("/im/$path", $body))->status == 200 }) if !$r;
        $r = $t->post("/im/$path", $body);
        is($r->status, 200, "$name: $what") or diag($r->body);
        is(eval { $r->json->[0]{msg} }, $said, 'is there');
    }

    is($t->unread($two), 1, 'a total');
    is($t->list($two)->[0]{unread_count}, 1, 'and a list: what is read is not marked so');
    is($t->post("/im/conv/$conv/read", { from_id => $two })->code, 'store_unavailable',
       'to mark it alone is refused');
    is(send_to('/im', $one, $two, 'no')->code, 'store_unavailable', 'as is a message');

    $end->();
    ok($t->poll(5, sub { send_to('/im', $two, $one, 'yes')->status == 200 }), 'once it takes writes');
    is($t->page($group, from_id => 'mem')->[0]{msg}, $said, 'the page');
    is($t->unread('mem'), 0, 'marks as read again');
}

refuses('maxmemory', sub { $t->redis(qw(CONFIG SET maxmemory 1)) },
        sub { $t->redis(qw(CONFIG SET maxmemory 0)) });
refuses('too few replicas', sub { $t->redis(qw(CONFIG SET min-replicas-to-write 1)) },
        sub { $t->redis(qw(CONFIG SET min-replicas-to-write 0)) });

# the marks of pages are refused, and all that writes

for my $error ('MISCONF Redis is configured to save RDB snapshots',
               'READONLY You can\'t write against a read only replica.',
               'BUSY Redis is busy running a script', 'NOREPLICAS Not enough good replicas') {
    my ($word) = split ' ', $error;
    my ($one, $two) = fresh();
    my $conv = $t->say($one => $two, 'hello')->conv_id;

    $p->answer("-$error\r\n", 'always', "^evalsha \\S+ [23] im:\\{c:$conv\\}:h im:\\{c:$conv\\}:m");
    for my $case ([ "conv/$conv", { from_id => $two } ],
                  [ 'from/to', { from_id => $two, to_id => $one } ]) {
        my $r = $t->post("/im/$case->[0]", $case->[1]);
        is($r->status, 200, "$word: $case->[0]") or diag($r->body);
        is(eval { $r->json->[0]{msg} }, 'hello', 'is a page');
        well_of($one);
    }
    $p->pass;
    ok(well(), 'and afterwards');
    is($t->unread($two), 1, 'still unread');
    $t->pair($two, $one);
    is($t->unread($two), 0, 'then read');
}

# an answer may have closed a connection, which is up again soon

sub well_of {
    my $user = shift;
    $t->poll(5, sub { $t->post('/im/unread', { from_id => $user })->status == 200 });
}


# --- message 1 is in both lists, or the next one is, whatever was known before

sub commands {
    my @l = grep { /^send / } split /\n/, $t->access_log;
    return @l ? (split ' ', $l[-1])[2] : 0;
}

sub listed {
    my $user = shift;
    return join ' ', map { $_->{last_msg} } @{ $t->list($user) };
}

sleep 1.2 * $scale;

for my $case (
    [ 'both writes of inboxes' => 2, '^zadd' ],
    [ 'the sender\'s'          => 1, '^zadd im:\{u:ONE\}' ],
    [ 'the other\'s'           => 1, '^zadd im:\{u:TWO\}' ],
    [ 'none of them'           => 0, '' ],
) {
    my ($name, $times, $match) = @$case;
    my ($one, $two) = fresh();
    $match =~ s/ONE/$one/;
    $match =~ s/TWO/$two/;

    # in one step of the clock both inboxes are known to have it
    my $known = $t->poll(20, sub {
        my $lines = () = $t->access_log =~ /^send /mg;
        send_to('/im', $one, $two, 'before');
        $t->poll(2, sub { (() = $t->access_log =~ /^send /mg) > $lines });
        return commands() == 1;
    });
    ok($known, "$name: the inboxes are known to be current");

    $t->redis('FLUSHALL');
    $p->answer("-ERR no\r\n", $times, $match) if $times;
    my $r = send_to('/im', $one, $two, 'one');
    is($r->status, $times ? 502 : 200, 'message 1, of which the store refuses them');
    $p->pass;

    delete $t->{conn} if $text++ % 2;       # perhaps to the other worker
    is(send_to('/im', $two, $one, 'two')->status, 200, 'the next one');
    is(listed($one), 'two', 'is in the list of the one');
    is(listed($two), 'two', 'and of the other');
    is($t->unread($one), 1, 'and in the total');
}

$t->done;
done_testing;
