# Answers that clients do not read: a budget in bytes for a worker, a share of
# it for a user or a connection; others are served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Socket;
use Test::More;
use Test::IM;
use Test::IM::H2;

my $t = Test::IM->new(
    worker_connections => 1024,
    store => 'server unix:{{sock}}; timeout ' . Test::IM::ms(5000) . ';',
    conf_server => <<'CONF',
        location /user/ {
            im_pass store;
            im_user $http_x_user;
            keepalive_timeout 60s;
        }
        location /status { im_status json; }
CONF
)->start;

my ($worker) = $t->worker_pids;
my $text = 'x' x 30_000;
my $conv = $t->say(ann => 'bob', $text)->conv_id;
$t->say(ann => 'bob', $text) for 2 .. 200;
my $other = $t->say(cid => 'dan', 'short')->conv_id;
my $page = '{"page_size":200}';             # 6 MB

my ($before, $pages);

sub rss { return (split ' ', slurp("/proc/$worker/statm"))[1] * 4096 }

sub refusals {
    my $json = $t->get('/status')->json;
    return $json->{total}{requests}{conv_page}{store_unavailable} // 0;
}

# one after another few, so that what is measured are answers, not replies of
# the store that wait to become answers

sub by_fives {
    my $ask = shift;
    my @all;
    for my $n (1 .. 20) {
        push @all, map { $ask->() } 1 .. 5;
        $t->poll(30, sub { pages() >= $pages + 5 * $n });
    }
    return @all;
}

sub pages {
    my $n = 0;
    $n += $_ for values %{ $t->get('/status')->json->{total}{requests}
                           {conv_page} };
    return $n;
}

sub others_are_served {
    my ($r, $late);
    for my $n (1 .. 20) {
        $r = $t->post('/im/unread', '{"from_id":"cid"}', close => 1);
        $late = $r if $r->status != 200;
        $r = $t->post("/user/conv/$other", '{}', close => 1,
                      headers => ['X-User: dan']);
        $late = $r if $r->status != 200;
    }
    ok(!$late, 'others are served') or diag($late->status, $late->body);
}

is(length $t->post("/im/conv/$conv", $page)->body > 6e6, 1, 'a page of 6 MB');
my $idle = rss();
($before, $pages) = (refusals(), pages());

# $c: what holds them open
sub bounded {
    my ($name, $least, $open) = @_;
    subtest $name => sub {
        my @c = $open->();
        ok($t->poll(30, sub { pages() >= $pages + 100 }),
           'all are answered or refused');
        my $grown = rss() - $idle;
        SKIP: {
            skip 'the allocator keeps what is freed', 1
                if $ENV{ASAN_OPTIONS} || $ENV{IM_VALGRIND};
            cmp_ok($grown, '<', 130e6, 'memory is bounded') or diag($grown);
        }
        cmp_ok(refusals() - $before, '>=', $least, 'what is beyond is refused');
        others_are_served();
        $_->close for @c;
        ok($t->poll(10, sub {
            my $r = $t->post("/user/conv/$conv", $page, close => 1,
                             headers => ['X-User: ann']);
            return $r->status == 200;
        }), 'the budget is free again');
        ($before, $pages) = (refusals(), pages());
    };
}

for my $who ('/im', '/user') {
    bounded("one HTTP/2 connection with a closed window, $who", 60, sub {
        my $c = $t->connect($t->h2_port);
        my $h2 = Test::IM::H2->new($c, window => 0);
        by_fives(sub {
            $h2->post("$who/conv/$conv", $page, headers => ['X-User: ann']);
        });
        return $c;
    });
}

bounded('an open stream, but a connection window that is used up', 60, sub {
    my $c = $t->connect($t->h2_port);
    my $h2 = Test::IM::H2->new($c, window => 1 << 30);
    by_fives(sub { $h2->post("/im/conv/$conv", $page) });
    return $c;
});

sub slow {
    my ($path, @headers) = @_;
    my $s = IO::Socket::INET->new(Proto => 'tcp') or die;
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, pack 'I', 4096;
    connect $s, pack_sockaddr_in($t->port, inet_aton('127.0.0.1')) or die "$!";
    my $c = Test::IM::Conn->new($s, 10);
    $c->send(bytes($path, $page, @headers));
    return $c;
}

bounded('100 slow readers of one user', 60, sub {
    return by_fives(sub { slow("/user/conv/$conv", 'X-User: ann') });
});

bounded('100 slow readers, trusted', 60, sub {
    return by_fives(sub { slow("/im/conv/$conv") });
});


# --- the refusal

my @slow = map { slow("/user/conv/$conv", 'X-User: ann') } 1 .. 5;
ok($t->poll(30, sub { pages() >= $pages + 5 }), 'slow ones first');
my $r = $t->post("/user/conv/$conv", $page, headers => ['X-User: ann']);
is($r->code, 'store_unavailable', 'code');
is($r->status, 503, 'status');
is($r->header('Retry-After'), 1, 'Retry-After');
like($r->error, qr/answers/, 'says why');
is($t->post("/user/conv/$conv", $page, headers => ['X-User: bob'])->status,
   200, 'another user reads the same');

my @lines = grep { /an answer is refused/ } split /\n/, $t->error_log;
cmp_ok(scalar @lines, '<=', 40, 'at most a line a second');
ok(scalar @lines, 'of the log');
$_->close for @slow;

$t->done;
done_testing;
