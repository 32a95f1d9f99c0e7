# What one caller's calls cost Redis in time and this worker in memory is his share,
# and no reason for others to wait.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;
my $t = Test::IM->new(
    store => 'server unix:{{dir}}/p.sock; timeout ' . 10 * $scale . 's;',
    conf_http => 'im_cache off; im_redis direct { server unix:{{sock}}; timeout 10s; }',
    conf_server => 'location /direct/ { im_pass direct; }',
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $big = $t->call('/direct/creat/group', { owner_id => 'hog', name => 'big' })->conv_id;
my $small = $t->call('/direct/creat/group', { owner_id => 'ann', name => 'small' })->conv_id;
sub say_direct { $t->call('/direct/send/msg', { from_id => $_[0], conv_id => $_[1], msg => $_[2], msg_type => 0 }) }
say_direct(hog => $_, 'hello') for $big, $big;
say_direct(ann => $small, 'hello');
sub median { my @s = sort { $a <=> $b } @_; return $s[@s / 2] }


# --- commands that take Redis long, with few bytes

{
    $p->slow(15, 'always', "^zrevrange im:.c:$big");
    my $hog = bytes("/im/conv/$big", {});
    my $pid = fork // die;
    if (!$pid) {
        my $end = time + 6 * $scale;
        my @conn = map { $t->connect } 1 .. 40;
        $_->send($hog) for @conn;
        while (time < $end) {
            for (@conn) { $_->readable(0) or next; $_->read_response; $_->send($hog) }
            sleep 0.001;
        }
        POSIX::_exit(0);
    }
    sleep 1.5 * $scale;     # what they cost is known by then
    my @ms;
    my $end = time + 3 * $scale;
    while (time < $end && @ms < 30) {
        my $t0 = time;
        $t->page($small);
        push @ms, 1000 * (time - $t0);
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    $p->pass;
    my $median = median(@ms);
    cmp_ok($median, '<', 150 * $scale, sprintf 'beside forty calls of 15 ms each: %.0f ms', $median);
    ok($t->poll(5, sub { my $r = $t->post("/im/conv/$small", {}); $r && $r->status == 200 }), 'served');
}


# --- replies that are held, as the next round of their calls waits

{
    my $rich = $t->call('/direct/creat/group', { owner_id => 'rich', name => 'rich' })->conv_id;
    say_direct(rich => $rich, 'x' x 32000) for 1 .. 100;
    my ($worker) = $t->worker_pids;
    my $rss = sub { (split ' ', slurp("/proc/$worker/statm"))[1] * 4 / 1024 };
    my $size = length $t->call("/direct/conv/$rich", { page_size => 100, from_id => 'rich' })->body;
    my $had = $rss->();
    my $page = bytes("/direct/conv/$rich", { page_size => 100, from_id => 'rich' });

    # the next round of these is not answered for a while
    my $slow = bytes("/im/conv/$rich", { page_size => 100, from_id => 'rich' });
    $p->late(1500, 'always', '^hmget|^mget|^hget');
    my @hog = map { my $c = $t->connect; $c->send($slow); $c } 1 .. 40;
    my $max = 0;
    $t->poll(3, sub { my $n = $rss->(); $max = $n if $n > $max; sleep 0.02; $hog[-1]->readable(0) });
    my (%got, $after);
    for (@hog) {
        my $r = $_->read_response;
        $got{ $r->status }++;
        $after = $r->header('Retry-After') if $r->status == 503;
    }
    SKIP: {
        skip 'the allocator keeps what is freed', 1 if $ENV{ASAN_OPTIONS} || $ENV{IM_VALGRIND};
        cmp_ok($max - $had, '<', 64, sprintf 'forty pages of %.1f MB: %.0f MB more', $size / 1e6, $max - $had);
    }
    ok($got{503}, 'what is too much is refused') or diag explain \%got;
    ok($got{200}, 'and what is not, is served') or diag explain \%got;
    is($after, 1, 'with Retry-After');
    $p->pass;
    is($t->post("/im/conv/$small", {})->status, 200, 'others are served');
    is(scalar(grep { $_->status != 200 } map { $t->post("/im/conv/$rich", { page_size => 100 }) } 1 .. 20), 0,
       'and he is, one after another');
}

$t->done;
$p->stop;
done_testing;
