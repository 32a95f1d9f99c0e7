# One caller who asks for much is no reason for others to wait: callers take
# turns at the store, large replies are taken in pieces, and who reads slowly
# holds up nobody but himself.
#
# What is compared is who is answered before whom, and times with times of the
# same moment, so that a slow or busy machine changes nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVBUF pack_sockaddr_in inet_aton);
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;
my ($lists, $convs) = (24, 500);
my $hers;           # commands of ann

# one worker, so that whatever waits in it is in everybody's way
my $t = Test::IM->new(
    store => 'server unix:{{dir}}/p.sock; timeout ' . 30 * $scale . 's;',
    conf_http => <<'CONF',
    im_redis few { server unix:{{dir}}/p.sock; timeout 60s; max_pending 9; }
CONF
    conf_server => <<'CONF',
        location /few/ { im_pass few; }
        location /user/ { im_pass store; im_user $http_user; }
CONF
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;


# --- small things

# sent at once, each over a connection of its own
sub at_once {
    my (@text) = @_;
    my @conn = map { $t->connect } @text;
    $conn[$_]->send($text[$_]) for 0 .. $#text;
    return @conn;
}

sub answered { scalar grep { $_->readable(0) } @_ }

# what Redis is told from now on: a function that gives the lines so far
sub monitor {
    my $s = IO::Socket::UNIX->new(Peer => $t->sock) or die "redis: $!";
    syswrite $s, "MONITOR\r\n";
    sysread $s, my $ok, 5;
    my $text = '';
    return sub {
        $t->redis('PING', my $mark = 'all of it');
        while ($text !~ /"$mark"/) { sysread $s, $text, 1 << 20, length $text or last }
        return split /\r\n/, $text;
    };
}

sub median { my @s = sort { $a <=> $b } @_; return $s[@s / 2] }

# the worker has taken all of it from its sockets: what comes now, comes later
sub taken {
    $t->poll(5, sub { my $r = $t->get('/site'); $r && $r->status == 200 }) for 1 .. 2;
}


# the hog has many conversations; ann and bob have one

{
    my @pid;
    for my $part (0 .. 3) {
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            my $rc = eval { $t->say('hog', "peer$part-$_", 'x' x 200) for 1 .. $convs / 4; 1 };
            warn $@ if !$rc;
            POSIX::_exit($rc ? 0 : 1);
        }
        push @pid, $pid;
    }
    is(scalar(grep { waitpid $_, 0; $? } @pid), 0, "$convs conversations");
    $hers = $t->say('ann', 'bob', "hello $_")->conv_id for 1 .. 20;
    $hers = qr/$hers|ann/;
    is(scalar @{ $t->list('hog') }, $convs, 'all of them are listed') for 1 .. 3;
}

my $list = bytes('/im/conv/list', { from_id => 'hog' });
my $page = bytes('/im/from/to', { from_id => 'ann', to_id => 'bob', page_no => 1, page_size => 10 });


# --- who comes after many lists is served long before them

# What Redis was told tells who was served before whom: how much of what they
# asked for came before the last command of mine?

sub overtakes {
    my ($name, $mine, $is_mine, @theirs) = @_;
    my $log = monitor();
    $p->hold;
    my @hog = at_once(@theirs);
    taken();
    my ($me) = at_once($mine);
    taken();
    is(answered(@hog, $me), 0, "$name: all wait");
    $p->pass;
    is($me->read_response->status, 200, "$name: the other caller is served");

    my %got;
    $got{ $_->read_response->status }++ for @hog;
    is_deeply(\%got, { 200 => scalar @hog }, "$name: and these are, too");

    # without profiles, which the cache asks for now and then
    my @all = grep { /"im:/ && !/ lua\]|:p"/ } $log->();
    my ($last) = grep { $all[$_] =~ $is_mine } reverse 0 .. $#all;
    defined $last or return fail "$name: Redis was not asked";
    my $before = grep { $_ !~ $is_mine } @all[0 .. $last];
    my $after = @all - 1 - $last;
    cmp_ok($before, '<', 3 * $after, "$name: after $before commands of theirs, before $after");
}

overtakes('a page after lists', $page, $hers, ($list) x $lists);
overtakes('a send after lists', bytes('/im/send/msg', { from_id => 'ann', to_id => 'bob',
    msg => 'x', msg_type => 0 }), $hers, ($list) x $lists);

# who the caller is where users sign in is what im_user says
overtakes('im_user', bytes('/user/conv/list', { from_id => 'ann' }, 'User: ann'), $hers,
    (bytes('/user/conv/list', { from_id => 'hog' }, 'User: hog')) x $lists);

# nobody named: the conversation
{
    my $big = $t->group('owner', ['m']);
    my $small = $t->group('owner', ['m']);
    $t->say_in(owner => $big, "$_ " . 'x' x 20000) for 1 .. 30;
    $t->say_in(owner => $small, 'x');
    my $all = bytes("/im/conv/$big", { page_size => 30 });
    $t->call("/im/conv/$big", { page_size => 30 }) for 1 .. 3;
    overtakes('pages of another conversation', bytes("/im/conv/$small", {}),
        qr/$small/, ($all) x $lists);

    # many callers with large pages: the last one still has not to wait for all
    my @who = map { "r$_" } 1 .. 20;
    $t->add($big, @who);
    $t->call("/im/conv/$big", { from_id => $_, page_size => 30 }) for @who;
    overtakes('a page after those of many callers', $page, $hers,
        map { (bytes("/im/conv/$big", { from_id => $_, page_size => 30 })) x 2 } @who);
}


# --- the order of one caller is kept while he waits

{
    $p->hold;
    my @hog = at_once(($list) x 8);
    taken();
    my @send;
    for (1 .. 40) {
        push @send, at_once(bytes('/im/send/msg', { from_id => 'hog', to_id => 'order',
            msg => "n$_", msg_type => 0 }));
        taken() if $_ % 10 == 0;
    }
    $p->pass;
    is(scalar(grep { $_->read_response->status != 200 } @send, @hog), 0, 'order: all served');
    my @text = reverse @{ $t->texts($t->pair('order', 'hog', page_size => 40)) };
    is(scalar @text, 40, 'forty messages');

    # each ten were taken after those before, within them any may be first
    my @tens = map { int((/^n(\d+)$/ ? $1 - 1 : 0) / 10) } @text;
    is_deeply(\@tens, [ sort { $a <=> $b } @tens ], 'in the order they came')
        or diag("@text");
}


# --- as long as it lasts: a page beside a caller who never stops

{
    my $stop = 0;
    pipe my $out, my $in or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{USR1} = sub { $stop = 1 };
        my @conn = at_once(($list) x 64);
        my %since = map { $_ => time } @conn;
        my @took;
        my $select = IO::Select->new(map { $_->{sock} } @conn);
        my %of = map { $_->{sock} => $_ } @conn;
        while (!$stop) {
            for my $c (map { $of{$_} } $select->can_read(0.2)) {
                last if $stop;
                $c->read_response->status == 200 or POSIX::_exit(1);
                push @took, time - $since{$c};
                $since{$c} = time;
                $c->send($list);
            }
        }
        syswrite $in, scalar(@took) . ' ' . median(@took);
        POSIX::_exit(0);
    }
    close $in;
    sleep 0.3;
    my $c = $t->connect;
    my @took;
    my $end = time + 10 * $scale;
    while (@took < 200 && time < $end) {
        my $t0 = time;
        $c->send($page)->read_response->status == 200 or die 'a page';
        push @took, time - $t0;
        sleep 0.003;
    }
    kill USR1 => $pid;
    sysread $out, my $said, 100;
    waitpid $pid, 0;
    my ($n, $median) = split ' ', $said;
    my $mine = median(@took);
    cmp_ok($mine, '<', $median / 4, sprintf 'beside %d lists of %.1f ms each, a page takes %.1f ms',
           $n, 1000 * $median, 1000 * $mine);
}


# --- one caller may take half of max_pending

{
    my $unread = sub { bytes('/few/unread', { from_id => $_[0] }) };
    $t->call('/few/unread', { from_id => 'a' });
    $p->hold;
    my @hog = at_once(($unread->('hog')) x 9);
    $t->poll(2, sub { answered(@hog) >= 4 });
    my @now = grep { $_->readable(0) } @hog;
    is(scalar @now, 4, 'max_pending 9: one caller has five of them under way');
    for (@now) {
        my $r = $_->read_response;
        is($r->code, 'store_unavailable', 'the others are refused');
        is($r->header('Retry-After'), 1, 'with Retry-After');
    }
    my @other = at_once(map { $unread->("other$_") } 1 .. 6);
    $t->poll(2, sub { answered(@other) >= 2 });
    is(answered(@other), 2, 'four of other callers find room');
    $p->pass;
    my %got;
    $got{ $_->read_response->status }++ for @other, grep { my $c = $_; !grep { $_ == $c } @now } @hog;
    is_deeply(\%got, { 200 => 9, 503 => 2 }, 'and are served');
}


# --- clients that do not read

{
    $t->say('slow', "big$_", 'y' x 30_000) for 1 .. 40;
    my $size = length $t->call('/few/conv/list', { from_id => 'slow' })->body;
    cmp_ok($size, '>', 1e6, "an answer of $size bytes");

    my @slow;
    for (1 .. 20) {
        socket my $s, 2, 1, 0 or die "socket: $!";
        setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4096;
        CORE::connect $s, pack_sockaddr_in($t->port, inet_aton('127.0.0.1')) or die "connect: $!";
        push @slow, Test::IM::Conn->new($s, 10 * $scale);
    }
    for my $c (@slow) {     # one by one, as max_pending is small
        $c->send(bytes('/few/conv/list', { from_id => 'slow' }));
        ok($c->readable(10 * $scale), 'an answer begins') or last;
    }

    # all twenty are still being answered, and take none of the nine places
    is($t->post('/few/unread', { from_id => 'slow' })->status, 200, 'the same caller is served');
    is($t->post('/few/unread', { from_id => 'ann' })->status, 200, 'and others are');
    is($t->get('/site')->status, 200, 'and the site is');
    my @owed = $t->redis('CLIENT', 'LIST') =~ / omem=(\d+)/g;
    is(scalar(grep { $_ > 0 } @owed), 0, 'Redis holds nothing back for them');

    my @left = map { eval { length $_->read_response->body } } @slow;
    is_deeply(\@left, [ ($size) x @slow ], 'who reads after all gets all of it');
}

$t->done;
done_testing;
