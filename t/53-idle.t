# Connections that nobody uses for a while: what the network has dropped without a
# word is replaced before a caller needs it.

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
    store => 'server unix:{{dir}}/p.sock; timeout 1s; connections 2;',
    conf_http => 'im_redis direct { server unix:{{sock}}; timeout 1s; }',
    conf_server => 'location /direct/ { im_pass direct; }',
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

sub read_one { my $t0 = time; my $r = $t->post("/$_[0]/unread", { from_id => 'a' }); return ($r, time - $t0) }

$t->call('/im/unread', { from_id => 'a' }) for 1 .. 4;

# idle, and well: the same connections, and nothing in the log
{
    my $had = $p->stat;
    ok($t->poll(9, sub { $p->stat->{commands} > $had->{commands} + 1 }), 'idle connections are probed');
    sleep 0.3;
    is($p->stat->{accepted}, $had->{accepted}, 'and stay');
    unlike($t->error_log, qr/\[(?:warn|error)\]/, 'without a word');
}

# silent now, with and without a call before
for my $round (1, 2) {
    $t->call('/im/unread', { from_id => 'a' }) if $round == 2;
    my $had = $p->stat->{accepted};
    $p->vanish;
    ok($t->poll(9, sub { $p->stat->{accepted} >= $had + 2 }), 'dropped without a word: replaced');
    sleep 0.2;
    my ($r, $s) = read_one('im');
    is($r->status, 200, 'the next caller is served');
    cmp_ok($s, '<', 0.3 * $scale, 'at once');
    $p->pass;
}

# Redis is hung: known before a caller waits for it
{
    $t->signal_redis('STOP');
    my ($r, $s);
    sleep 5 * $scale;
    ($r, $s) = read_one('direct');
    is($r->status, 503, 'hung: refused');
    cmp_ok($s, '<', 0.3 * $scale, 'at once');
    $t->signal_redis('CONT');
    ok($t->poll(4, sub { (read_one('direct'))[0]->status == 200 }), 'served again');
    ok($t->poll(4, sub { (read_one('im'))[0]->status == 200 }), 'over the proxy, too');
}

$t->done;
$p->stop;
done_testing;
