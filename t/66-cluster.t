#!/usr/bin/perl

# A Redis Cluster: every call finds its node, whatever is moved meanwhile.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;

my $t = Test::IM->new(cluster => { masters => 3 }, workers => 2,
    conf_server => 'location = /status { im_status json; }')->start;
my $c = $t->cluster;


sub slot  { Test::IM::Cluster::slot("im:{c:$_[0]}:h") }
sub state { $t->get('/status')->json->{total}{stores}{store} }


# --- published vectors, and tags

is(Test::IM::Cluster::slot('123456789'), 0x31c3, 'the harness counts right');
is(Test::IM::Cluster::slot($_), $c->redis('CLUSTER', 'KEYSLOT', $_),
   "slot of $_") for qw(im:{c:a}:h {u:b}x im:{}y a{b}{c});


# --- one user's conversations are on all nodes

my %conv;
for my $n (1 .. 60) {
    my $r = $t->post('/im/send/msg', body('ann', "peer$n", "text $n"));
    is($r->status, 200, "sent to peer$n") or diag $r->body;
    $conv{$n} = $r->conv_id;
}
for my $n (1 .. 20) {
    my $r = $t->post('/im/creat/group', { owner_id => 'ann', conv_id => "room$n",
        member => [qw(bob eve)], name => "n$n" });
    is($r->status, 200, "room$n") or diag $r->body;
    is($t->post('/im/send/msg', { from_id => 'eve', conv_id => "room$n",
        msg => "in $n", msg_type => 0 })->status, 200, 'sent to it');
}

my %port = map { $_->{port} => 1 }
           map { $c->owner(slot($_)) } values %conv;
is(scalar keys %port, 3, 'they are on all nodes');

my $shown = 80;

sub list_ok {
    my ($name) = @_;
    my $r = $t->post('/im/conv/list', { from_id => 'ann' });
    is($r->status, 200, $name) or diag $r->body;
    is(scalar @{ $r->json }, $shown, 'all conversations') if $r->status == 200;
    is($t->post('/im/unread', { from_id => 'ann' })->json->{total}, 20,
       'all unread');
    is($t->post('/im/conv/list', { from_id => 'ann', limit => 10 })->status,
       200, 'a part of them');
}

list_ok('a list over all nodes');


# --- a slot that was moved

my $slot = slot($conv{1});
my $from = $c->owner($slot);
my ($to, $third) = grep { $_ != $from } $c->nodes;

$c->migrate($slot, $to);
is($t->post('/im/send/msg', body('ann', 'peer1', 'moved'))->status, 200,
   'sent, with MOVED');
ok(state()->{redirects_moved}, 'it is counted');
list_ok('the list follows');
is_deeply([ map { $_->{msg} } @{ $t->page($conv{1}) } ],
          [ 'moved', 'text 1' ], 'the page, too');

my $moved = state()->{redirects_moved};
$t->post('/im/send/msg', body('ann', 'peer1', 'again')) for 1 .. 20;
cmp_ok(state()->{redirects_moved} - $moved, '<=', 3,
       'no redirection once it is known');


# --- a slot that is being moved: nothing of it yet, half of it, all of it

sub calls_ok {
    my ($name, $conv, $peer) = @_;
    my $r = $t->post('/im/send/msg', body('ann', $peer, $name));
    is($r->status, 200, "$name: send") or diag $r->body;
    is($t->page($conv)->[0]{msg}, $name, 'page');
    is($t->post("/im/conv/$conv/read", { from_id => $peer })->status, 200,
       'read');
    is($t->post("/im/conv/$conv/readers", { from_id => $peer })->status, 200,
       'readers');
    is($t->post('/im/msg/recall', { from_id => 'ann', conv_id => $conv,
        msg_id => $r->msg_id })->status, 200, 'recall');
    is($t->post("/im/conv/$conv/hide", { from_id => $peer })->status, 200,
       'hide');
}

$slot = slot($conv{2});
$from = $c->owner($slot);
($to) = grep { $_ != $from } $c->nodes;

$to->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
$from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
calls_ok('nothing moved', $conv{2}, 'peer2');

# what MOVED has caused before comes within a second

my $refreshes = -1;
$t->poll(10, sub {
    my $n = state()->{slot_refreshes};
    return 1 if $n == $refreshes;
    $refreshes = $n;
    sleep 1.5;
    return;
});
my @keys = map { "im:{c:$conv{2}}:$_" } qw(h m i);
$from->cmd('MIGRATE', '127.0.0.1', $to->{port}, '', 0, 5000, 'KEYS', @keys);
calls_ok('all of it moved', $conv{2}, 'peer2');
ok(state()->{redirects_ask}, 'redirected by ASK');
is(state()->{slot_refreshes}, $refreshes, 'ASK is no reason to ask for slots');

# what does not exist yet is made at the other node, and there only

my ($new) = grep { slot($_) == $slot } map { "new$_" } 1 .. 200000;
is($t->post("/im/conv/$new", { from_id => 'ann' })->status, 404,
   'a page of what does not exist');
is($t->post("/im/conv/$new/read", { from_id => 'ann' })->status, 404,
   'read of it');
is($t->post("/im/group/$new/leave", { from_id => 'ann' })->status, 404,
   'leave');
is($t->post('/im/send/msg', { from_id => 'ann', conv_id => $new, msg => 'x',
    msg_type => 0 })->status, 404, 'send to it');
is($t->post('/im/creat/group', { owner_id => 'ann', conv_id => $new,
    member => [qw(bob)], name => 'new' })->status, 200,
   'a group is made');
is($t->post('/im/send/msg', { from_id => 'ann', conv_id => $new, msg => 'x',
    msg_type => 0 })->status, 200, 'and sent to');
is(scalar @{ $from->cmd('CLUSTER', 'GETKEYSINSLOT', $slot, 100) }, 0,
   'nothing of it at the old node');

my ($peer, $id) = (0);
do { $id = pair_id('ann', 'x' . ++$peer) } until slot($id) == $slot;
my $r = $t->post('/im/send/msg', body('ann', "x$peer", 'first'));
is($r->status, 200, 'a first message') or diag $r->body;
is($r->conv_id, $id, 'of a conversation in this slot');
calls_ok('second', $id, "x$peer");

$c->finish($slot, $to);
calls_ok('the slot has moved', $conv{2}, 'peer2');
calls_ok('what is new, too', $id, "x$peer");


# --- half of the keys of a conversation: until the rest has come

$slot = slot($conv{3});
$from = $c->owner($slot);
($to) = grep { $_ != $from } $c->nodes;
$to->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
$from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
@keys = map { "im:{c:$conv{3}}:$_" } qw(h m i);
$from->cmd('MIGRATE', '127.0.0.1', $to->{port}, '', 0, 5000, 'KEYS', $keys[0]);

my $conn = $t->connect;
$conn->send(Test::IM::bytes('/im/send/msg', body('ann', 'peer3', 'patience')));
ok($t->poll(5, sub { state()->{tries_again} }), 'a send waits');
$from->cmd('MIGRATE', '127.0.0.1', $to->{port}, '', 0, 5000, 'KEYS',
           @keys[1, 2]);
is($conn->read_response->status, 200, 'until all keys are there');
$c->finish($slot, $to);
is_deeply([ map { $_->{msg} } @{ $t->page($conv{3}) } ],
          [ 'patience', 'text 3' ], 'stored once');
$shown += 2;
list_ok('the list is complete');


# --- a dismissed group without members has all of its keys

is($t->post('/im/creat/group', { owner_id => 'ann', conv_id => 'over',
    member => [qw(bob)], name => 'over' })->status, 200, 'a group');
is($t->post('/im/group/over/dismiss', { from_id => 'ann' })->status, 200,
   'dismissed');
is($t->post('/im/group/over/leave', { from_id => $_ })->status, 200,
   "$_ leaves") for qw(bob ann);
$slot = slot('over');
$from = $c->owner($slot);
($to) = grep { $_ != $from } $c->nodes;
$to->cmd('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from->{id});
$from->cmd('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to->{id});
is($t->post('/im/send/msg', { from_id => 'ann', conv_id => 'over', msg => 'x',
    msg_type => 0 })->code, 'not_member', 'its slot is moved: no member');
$c->finish($slot, $from);


# --- scripts are gone

$_->cmd('SCRIPT', 'FLUSH') for $c->nodes;
calls_ok('no scripts', $conv{4}, 'peer4');

is($t->error_log =~ /\[error\]/ ? $t->error_log : '', '', 'no error in the log');

$t->done;
done_testing;


sub pair_id {
    require Digest::SHA;
    return substr Digest::SHA::sha1_hex(join ' ', sort @_), 0, 24;
}
