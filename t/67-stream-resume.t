# A stream that comes back, or whose subscription breaks, misses nothing: what
# was dropped by (conv_id, seq) is each message once, in order, or a gap or a
# reset says otherwise.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::Stream;

my $t = Test::IM->new(workers => 2, store => 'server unix:{{sock}}; timeout 1s;',
                      redis_args => [qw(--appendonly yes --appendfsync always)],
                      conf_server => <<'EOF')->start;
    location /stream { im_stream store; im_stream_drain 2s; }
    location /few { im_stream store; im_stream_replay_max 20; }
    location /mute/ { im_pass store; im_publish off; }
EOF

sub stream { my ($uri, %o) = @_; return Test::IM::Stream->new($t, $uri, %o) }
sub ready  { my $s = stream(@_); ok($s->wait_for('ready'), "$_[0]: ready"); return $s }
sub say_to { my ($from, $to, $msg) = @_; my $r = $t->post('/im/send/msg', { from_id => $from, to_id => $to, msg => $msg, msg_type => 0 }); $r->status == 200 or die $r->body; return $r }
sub say_in { my ($from, $conv, $msg) = @_; my $r = $t->post('/im/send/msg', { from_id => $from, conv_id => $conv, msg => $msg, msg_type => 0 }); $r->status == 200 or die $r->body; return $r }
sub resumed { ($_[0]->named('ready'))[0]{data}{resumed} ? 1 : 0 }
sub total   { ($_[0]->named('ready'))[0]{data}{total} }

# what a client has that drops by (conv_id, seq)
sub kept {
    my ($last, @streams) = @_;
    my @m;
    for my $e (map { $_->named('message') } @streams) {
        my ($c, $seq) = @{ $e->{data} }{qw(conv_id seq)};
        next if $seq <= ($last->{$c} // 0);
        push @m, "HOLE" if $last->{$c} && $seq != $last->{$c} + 1;
        $last->{$c} = $seq;
        push @m, $e->{data}{msg};
    }
    return "@m";
}


# --- nothing missed; what was missed, in several conversations

{
    my $s = ready('/stream?user=bob');
    my $id0 = $s->last_id;
    say_to('ann', 'bob', 'a1');
    ok($s->wait_for('message'), 'live');
    my $id = $s->last_id;
    isnt($id, $id0, 'ids go on');
    $s->close;

    my %last;
    kept(\%last, $s);
    my $back = stream('/stream?user=bob', last => $id);
    ok($back->wait_for('ready'), 'back');
    is(resumed($back), 1, 'resumed');
    is(total($back), 1, 'the total');
    is(kept(\%last, $back), '', 'nothing new');
    $back->close;

    my $g = $t->group('own', ['bob'], conv_id => 'g1');
    say_to('ann', 'bob', 'a2');         # the tail of a conversation
    say_to('cid', 'bob', 'c1');         # the first message of one
    say_in('own', $g, 'g1');            # of a group that is new
    say_to('bob', 'ann', 'b3');         # one's own
    say_to('ann', 'cid', 'others');
    my $recalled = say_to('cid', 'bob', 'gone');
    $t->post('/im/msg/recall', { from_id => 'cid', conv_id => $recalled->conv_id, msg_id => $recalled->msg_id });

    $back = stream('/stream?user=bob', last => $id);
    ok($back->wait_for('ready'), 'back');
    # an event that the worker is told of late may follow once more
    is((grep { /^(?:message|ready)$/ } map { $_->{event} } $back->events)[-1], 'ready', 'ready is behind what was missed');
    is(join(' ', sort split ' ', kept(\%last, $back)), 'a2 b3 c1 g1', 'each message, one recalled');
    is_deeply([ map { $_->{raw} } $back->named('conv') ], [ '{"conv_id":"g1","change":"joined"}' ], 'the group that is new');
    is(($back->named('recall'))[0]{data}{msg_id}, $recalled->msg_id, 'the recall');
    my ($r) = grep { $_->{data}{msg_id} eq $recalled->msg_id } $back->named('message');
    is($r->{data}{msg}, '', 'the text is not told');
    say_in('own', $g, 'g2');
    ok($back->wait(5, sub { grep { $_->{data}{msg} eq 'g2' } $_[0]->named('message') }), 'then it is live');
    is(kept({ 'g1' => 1 }, $back), join(' ', kept({ g1 => 1 }, $back)), 'in order');
    $back->close;

    my $arg = stream("/stream?user=bob&last_event_id=$id");
    ok($arg->wait_for('ready'), 'the argument');
    is(resumed($arg), 1, 'resumed');
    cmp_ok(scalar($arg->named('message')), '>=', 5, 'the same');
    $arg->close;
}


# --- ids that are none; too much

{
    my $s = ready('/stream?user=much');
    my $id = $s->last_id;
    $s->close;
    my ($epoch, $time) = split /-/, $id;

    for (['x', 'bad_id'], ['1-2', 'bad_id'], ["$id ", 'none'], ['0' x 8 . "-$time", 'epoch'], ["$epoch-123", 'bad_id']) {
        my ($last, $reason) = @$_;
        my $s = stream('/stream?user=much', last => $last);
        ok($s->wait_for('ready'), "id $last: ready");
        is(join(' ', map { $_->{data}{reason} } $s->named('reset')), $reason eq 'none' ? '' : $reason, "id $last: reset");
        is(resumed($s), $reason eq 'none' ? 1 : 0, "id $last: resumed or not");
        like($s->last_id, qr/^$epoch-\d{13}$/, "id $last: a new id");
        $s->close;
    }

    say_to('ann', 'much', "n$_") for 1 .. 130;
    my $back = stream('/stream?user=much', last => $id);
    ok($back->wait_for('ready'), 'many messages of one conversation');
    my ($gap) = $back->named('gap');
    ok($gap, 'a gap');
    my @seq = map { $_->{data}{seq} } $back->named('message');
    is($gap->{data}{after}, 0, 'after');
    is($gap->{data}{before}, $seq[0], 'before');
    is_deeply(\@seq, [ $seq[0] .. 130 ], 'the newest, in order');
    my ($first) = grep { $_->{event} =~ /gap|message/ } $back->events;
    is($first->{event}, 'gap', 'the gap comes first');
    $back->close;

    $back = stream('/few?user=much', last => $id);
    ok($back->wait_for('ready'), 'more than im_stream_replay_max');
    is(join(' ', map { $_->{data}{reason} } $back->named('reset')), 'too_many', 'reset');
    ok(!$back->named('message'), 'and no message');
    $back->close;

    say_to("u$_", 'wide', 'x') for 1 .. 65;
    $back = stream('/stream?user=wide', last => $id);
    ok($back->wait_for('ready'), 'more than 64 conversations');
    is(join(' ', map { $_->{data}{reason} } $back->named('reset')), 'too_many', 'reset');
    $back->close;
}


# --- the second look: the sender is between the message and the inboxes

{
    my $s = ready('/stream?user=late');
    my $id = $s->last_id;
    $s->close;
    my $conv = $t->post('/mute/send/msg', { from_id => 'slow', to_id => 'late', msg => 'l1', msg_type => 0 })->conv_id;
    my $key = 'im:{u:late}:i';
    my $entry = $t->redis('ZRANGE', $key, 0, 0)->[0];
    my $at = $t->redis('ZSCORE', $key, $entry);
    $t->redis('DEL', $key);
    my $back = stream('/stream?user=late', last => $id);
    ok($back->wait_for('ready'), 'back before the inbox is written');
    is(scalar($back->named('message')), 0, 'the conversation is not known');
    $t->redis('ZADD', $key, $at, $entry);
    ok($back->wait_for('message', 1, 8), 'found by the second look');
    is(join(' ', $back->texts), 'l1', 'that message');
    $back->close;

    # an event that shows that one before it is missing
    $t->redis('DEL', $key);
    $back = stream('/stream?user=late', last => $id);
    ok($back->wait_for('ready'), 'back once more');
    $t->redis('ZADD', $key, $at, $entry);
    say_to('slow', 'late', 'l2');
    ok($back->wait_for('message', 2, 8), 'two messages');
    is(join(' ', $back->texts), 'l1 l2', 'in order');
    $back->close;
}


# --- the subscription breaks: streams read what they have missed

{
    my @s = map { ready("/stream?user=$_") } qw(sub1 sub2 sub1);
    my $n = 0;
    my @sent;
    for my $round (1 .. 5) {
        $t->redis(qw(CLIENT KILL TYPE pubsub));
        push @sent, $_ and say_to('ann', 'sub1', $_) for map { 'k' . ++$n } 1 .. 3;
    }
    for ($s[0], $s[2]) {
        my %last;
        ok($_->wait(10, sub { grep { $_->{data}{msg} eq "k$n" } $_[0]->named('message') }), 'the last one');
        is(kept({}, $_), "@sent", 'all of them, in order');
        ok(!$_->ended, 'and the stream is the same');
        ok(!$_->named('reset'), 'without a reset');
    }
    is(scalar($s[1]->named('message')), 0, 'another has none');
    $_->close for @s;
}


# --- a reload: goodbye at different times, and nothing is lost

{
    my @user = map { "r$_" } 1 .. 12;
    my %s = map { $_ => ready("/stream?user=$_") } @user;
    my %last = map { $_ => {} } @user;
    my (%got, %retry);
    my $n = 0;
    for my $round (1 .. 3) {
        my @old = $t->worker_pids;
        say_to('ann', $_, 'm' . ++$n) for @user;
        kill HUP => $t->master_pid;
        for my $i (1 .. 3) { say_to('ann', $_, 'm' . ++$n) for @user }
        for my $u (@user) {
            ok($s{$u}->wait_end(10), "$u: the stream ends");
            my ($bye) = $s{$u}->named('bye');
            is($bye && $bye->{data}{reason}, 'reload', "$u: bye");
            ok($s{$u}{complete}, "$u: whole");
            $retry{ $s{$u}->retry }++;
            cmp_ok($s{$u}->retry, '<=', 2000, "$u: within im_stream_drain");
            $got{$u} .= kept($last{$u}, $s{$u}) . ' ';
            $s{$u} = stream("/stream?user=$u", last => $s{$u}->last_id);
        }
        my %old = map { $_ => 1 } @old;
        ok($t->poll(10, sub { !grep { kill 0, $_ } @old }), 'the old workers are gone');
    }
    for my $u (@user) {
        ok($s{$u}->wait_for('ready'), "$u: back");
        $got{$u} .= kept($last{$u}, $s{$u});
        my @words = split ' ', $got{$u};
        is(scalar(@words), 12, "$u: each message once");
        unlike($got{$u}, qr/HOLE/, "$u: in order");
        $s{$u}->close;
    }
    cmp_ok(keys %retry, '>', 6, 'they come back at different times');
}


# --- a worker is killed

{
    my $s = ready('/stream?user=kill');
    say_to('ann', 'kill', 'k1');
    ok($s->wait_for('message'), 'live');
    my %last;
    my $got = kept(\%last, $s);
    my @old = $t->worker_pids;
    kill KILL => @old;
    ok($s->wait_end(10), 'the stream breaks');
    $t->poll(10, sub { my @now = $t->worker_pids; @now == 2 && !grep { my $p = $_; grep { $_ == $p } @old } @now });
    say_to('ann', 'kill', 'k2');
    my $back = stream('/stream?user=kill', last => $s->last_id);
    ok($back->wait_for('ready'), 'back');
    is("$got " . kept(\%last, $back), 'k1 k2', 'nothing is lost');
    $back->close;
}


# --- Redis is killed and comes back: a reset says that its past may be another

{
    my $s = ready('/stream?user=redis');
    my $id = $s->last_id;
    say_to('ann', 'redis', 'r1');
    ok($s->wait_for('message'), 'live');
    $t->stop_redis('KILL');
    my $down = stream('/stream?user=other');
    is($down->status, 200, 'without Redis: 200');
    ok($down->wait_end(10), 'and the end');
    is(($down->named('bye'))[0]{data}{reason}, 'store', 'with its reason');
    cmp_ok($down->retry, '>=', 1000, 'and a time');
    $t->start_redis;
    ok($t->poll(10, sub { $t->post('/im/send/msg', { from_id => 'ann', to_id => 'redis', msg => 'r2', msg_type => 0, client_msg_id => 'r2' })->status == 200 }), 'it is back');
    ok($s->wait_for('reset', 1, 15), 'the stream is told');
    is(($s->named('reset'))[0]{data}{reason}, 'epoch', 'its reason');
    say_to('ann', 'redis', 'r3');
    ok($s->wait(10, sub { grep { $_->{data}{msg} eq 'r3' } $_[0]->named('message') }), 'and is live');
    ok(!$s->ended, 'the same stream');
    $s->close;
    my $back = stream('/stream?user=redis', last => $id);
    ok($back->wait_for('ready'), 'with an id from before');
    is(($back->named('reset'))[0]{data}{reason}, 'epoch', 'reset');
    $back->close;
}

$t->done(qr/connect to|lost the connection|could not connect|exited on signal 9|store_unavailable|outcome_unknown/);
done_testing();
