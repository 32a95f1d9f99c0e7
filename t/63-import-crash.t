# An import while Redis and workers are killed, resumed by sending batches
# again: nothing is lost, nothing is there twice, order and counts are right.
# Then each state that a crash can leave, made by hand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use JSON::PP ();
use POSIX ();
use Test::More;
use Test::IM;
use Time::HiRes qw(sleep time);

use constant { IMPORTERS => 3, CONVS => 30, BATCHES => 4, ROWS => 25 };

my $t = Test::IM->new(
    workers => 2,
    conf_im => 'im_import on;',
    store => 'server unix:{{sock}}; timeout 2s;',
    redis_args => [qw(--appendonly yes --appendfsync always)],
)->start;

my $base = 1700000000000;


# --- what is imported

sub conv {
    my $i = shift;
    my $type = $i % 2;
    my @users = ("u$i.a", "u$i.b", $type ? 'all' : ());
    my @m = map { { msg_id => "m+$_/$i", msg_type => 0, msg => $_ % 7 ? "text $_" : '', from_id => $users[ $_ % @users ],
                    from_time => $base + int($_ / 2) } } 1 .. BATCHES * ROWS;
    return { id => $i % 3 ? substr(sha1_hex("old $i"), 0, 24) : "room.$i", type => $type, users => \@users, m => \@m };
}

sub send_batch {        # until it is stored; how many times it was tried
    my ($c, $k, $out) = @_;
    my $end = time + 60 * $Test::IM::SCALE;
    for (my $n = 1; time < $end; $n++) {
        my $r = eval { $t->post('/im/import', { conv_id => $c->{id}, conv_type => $c->{type}, conv_users => $c->{users},
            unread => JSON::PP::true, messages => [ @{ $c->{m} }[$k * ROWS .. ($k + 1) * ROWS - 1] ] }) };
        if ($r && $r->status == 200) {
            my $j = $r->json;
            return $n if $j->{stored} + $j->{skipped} == ROWS;
            die "$c->{id}: " . $r->body . "\n";
        }
        die "$c->{id}: " . $r->body . "\n" if $r && $r->status && $r->status < 500;
        delete $t->{conn};
        sleep 0.02;
    }
    die "$c->{id}: not stored in time\n";
}

my @pid;
for my $w (0 .. IMPORTERS - 1) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $tries = 0;
        my $ok = eval {
            for (my $i = $w; $i < CONVS; $i += IMPORTERS) {
                my $c = conv($i);
                for my $k (0 .. BATCHES - 1) {
                    $tries += send_batch($c, $k);
                    sleep 0.02;
                }
            }
            1;
        };
        warn $@ if !$ok;
        POSIX::_exit($ok ? 0 : 1);
    }
    push @pid, $pid;
}


# --- faults, until the importers are done

my ($redis, $workers, $done) = (0, 0, 0);
my %left = map { $_ => 1 } @pid;
my $failed = 0;

while (%left) {
    for (keys %left) {
        next if waitpid($_, POSIX::WNOHANG()) == 0;
        $failed ||= $?;
        delete $left{$_};
    }
    last if !%left;
    if ($redis < 3) {
        $t->stop_redis('KILL');
        $redis++;
        sleep 0.05;
        $t->start_redis;
    }
    sleep 0.1;
    if ($workers < 4) {
        my @w = $t->worker_pids;
        if (@w) { kill KILL => $w[ $workers % @w ]; $workers++ }
    }
    sleep 0.15;
}

is($failed, 0, 'all batches were stored');
cmp_ok($redis, '>=', 1, "Redis was killed $redis times");
cmp_ok($workers, '>=', 1, "a worker was killed $workers times");

# the last one counts as well
$t->stop_redis('KILL');
$t->start_redis;
ok($t->poll(20, sub { my $r = eval { $t->post('/im/unread', { from_id => 'u0.a' }) }; delete $t->{conn} if !$r; $r && $r->status == 200 }),
   'Redis is used again');


# --- what is there

my (@bad, $total);

for my $i (0 .. CONVS - 1) {
    my $c = conv($i);
    my (@all, $after);
    for ($after = ''; my @p = reverse @{ $t->page($c->{id}, after => $after, page_size => 60) }; $after = $p[-1]{msg_id}) { push @all, @p }
    my @want = map { join ' ', @$_{qw(msg_id from_id from_time msg)} } @{ $c->{m} };
    my @got = map { join ' ', @$_{qw(msg_id from_id from_time msg)} } @all;
    push @bad, "$c->{id}: messages" if "@got" ne "@want";

    for my $user (@{ $c->{users} }) {
        my $n = 0;
        for (@{ $c->{m} }) { $n = $_->{from_id} eq $user ? 0 : $n + 1 }
        my @row = grep { $_->{conv_id} eq $c->{id} } @{ $t->list($user) };
        push @bad, "$c->{id}: list of $user" if @row != 1 || $row[0]{last_time} != $c->{m}[-1]{from_time};
        push @bad, "$c->{id}: unread of $user" if !@row || $row[0]{unread_count} != $n;
        $total += $n if $user eq 'all';
    }
    push @bad, "$c->{id}: again" if send_batch($c, 1) != 1;
    push @bad, "$c->{id}: the next" if $t->say_in($c->{users}[0] => $c->{id}, 'x')->msg_id !~ /^101-/;
}
is_deeply(\@bad, [], 'all messages once, in order, with their counts, in all lists');
is($t->unread('all') - CONVS / 2, $total, 'and the total');
is(0 + @{ $t->list('all') }, CONVS / 2, 'no group is missing');


# --- states that a crash leaves, and the same batch again

{
    my $c = { id => substr(sha1_hex('half'), 0, 24), type => 0, users => [qw(h1 h2)], m => conv(0)->{m} };
    my $key = substr sha1_hex('h1 h2'), 0, 24;

    # the id is claimed
    $t->redis('HSET', "im:{c:$c->{id}}:x", 'name', '3h1 h2 ');
    $t->redis('SET', "im:{c:$c->{id}}:h", '3h1 h2 ');
    is($t->post("/im/conv/$c->{id}", {})->code, 'conv_not_found', 'claimed: there is no conversation yet');
    is($t->post("/im/conv/$c->{id}/read", { from_id => 'h1' })->code, 'conv_not_found', 'nor for other calls');
    is_deeply($t->list('h1'), [], 'nor in lists');
    is(send_batch($c, 0), 1, 'again');
    is(@{ $t->page($c->{id}, page_size => 100) }, ROWS, 'it is there');

    # it is stored, and in no inbox
    $t->redis('ZREM', "im:{u:$_->[0]}:i", "$key $_->[1]") for [qw(h1 h2)], [qw(h2 h1)];
    is_deeply($t->list('h1'), [], 'not in the inboxes');
    is(send_batch($c, 0), 1, 'again');
    is($t->list($_)->[0]{conv_id}, $c->{id}, "in the list of $_") for qw(h1 h2);

    # rows that the head does not know
    $t->redis('ZADD', "im:{c:$key}:m", 26, '26=left 1700000000000 0 h1 left', 27, '27=left2 1700000000000 0 h1 left');
    $t->redis('HSET', "im:{c:$key}:k", 'left', 26, 'm+26/0', 27);
    is(send_batch($c, 1), 1, 'over what was cut off');
    my @p = reverse @{ $t->page($c->{id}, page_size => 100) };
    is_deeply([ map { $_->{msg_id} } @p ], [ map { "m+$_/0" } 1 .. 2 * ROWS ], 'nothing is left of it');

    # places without a group
    $t->redis('ZADD', "im:{u:$_}:g", 1600000000000000, 'late') for qw(p1 p2);
    is(send_batch({ id => 'late', type => 1, users => [qw(p1 p2)], m => $c->{m} }, 0), 1, 'a group whose places are taken');
    is($t->list($_)->[0]{conv_id}, 'late', "in the list of $_") for qw(p1 p2);
}


# --- a client that goes away: the batch is stored, or it is not

{
    my $c = { id => 'gone', type => 1, users => [qw(q1 q2)], m => conv(1)->{m} };
    my $conn = $t->connect;
    $conn->send(bytes('/im/import', { conv_id => 'gone', conv_type => 1, conv_users => $c->{users}, messages => $c->{m} }));
    $conn->reset;
    ok($t->poll(10, sub { send_batch($c, 0); $t->post('/im/conv/gone', { page_size => 1 })->status == 200 }), 'repeated');
    my @p = reverse @{ $t->page('gone', page_size => 200) };
    is_deeply([ map { $_->{msg_id} } @p ], [ map { $_->{msg_id} } @{ $c->{m} }[0 .. $#p] ], 'in order');
}

$t->done(qr/exited on signal 9/);
done_testing;
