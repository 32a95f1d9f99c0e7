# client_msg_id: sent twice, stored once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    conf_http => 'im_redis hasty { server unix:{{sock}}; timeout '
                 . 300 * $Test::IM::SCALE . 'ms; }',
    conf_server => <<'CONF')->start;
        location /hasty/ { im_pass hasty; }
        location /short/ { im_pass store; im_idempotency_window 1s; }
CONF

sub same_ok {
    my ($r, $first, $name) = @_;
    is_deeply([ $r->body, $r->conv_id, $r->msg_id, $r->msg_time ],
              [ $first->body, $first->conv_id, $first->msg_id,
                $first->msg_time ], $name);
}

sub count { scalar @{ $t->page($_[0], page_size => 200) } }


# --- the first answer again

my @send = (ann => 'bob', 'hello', client_msg_id => 'c1');
my $first = $t->say(@send);
my $conv = $first->conv_id;
my $before = $t->snapshot;

same_ok($t->say(@send), $first, 'the first answer again') for 1 .. 3;
same_ok($t->say_in(ann => $conv, 'hello', client_msg_id => 'c1'), $first,
        'addressed by conv_id');
same_ok($t->say(ann => 'bob', 'hello', client_msg_id => 'c1',
                conv_id => $conv), $first, 'addressed by both');
is_deeply($t->snapshot, $before, 'stores nothing');
is($t->unread('bob'), 1, 'one unread');

$t->say(bob => 'ann', 'answer');
same_ok($t->say(@send), $first, 'after other messages');
is(count($conv), 2, 'two messages');
is($t->list('ann')->[0]{last_msg}, 'answer', 'the list keeps the newest');
is($t->unread('bob'), 0, 'a retry makes nothing unread');
is($t->unread('ann'), 1, 'and reads nothing');


# --- what is another message

isnt($t->say(ann => 'bob', 'hello', client_msg_id => 'c2')->msg_id,
     $first->msg_id, 'another id');
isnt($t->say(bob => 'ann', 'hello', client_msg_id => 'c1')->msg_id,
     $first->msg_id, 'another sender');
isnt($t->say(ann => 'cid', 'hello', client_msg_id => 'c1')->msg_id,
     $first->msg_id, 'another conversation');
isnt($t->say(ann => 'bob', 'hello')->msg_id, $first->msg_id, 'no id');
isnt($t->say(ann => 'bob', 'hello', client_msg_id => 'C1')->msg_id,
     $first->msg_id, 'another case');
is(count($conv), 6, 'all stored');

my $group = $t->group(ann => [qw(bob cid)]);
my $in_group = $t->say_in(ann => $group, 'all', client_msg_id => 'c1');
same_ok($t->say_in(ann => $group, 'all', client_msg_id => 'c1'), $in_group,
        'in a group');
is(count($group), 1, 'stored once');
is($t->unread_in(cid => $group), 1, 'unread once');

# separators in ids do not run into one another
my %seen;
$seen{$t->say_in($_->[0] => $group, 'x', client_msg_id => $_->[1])->msg_id}++
    for ['bob', ':x'], ['bob', 'x'], ['cid', 'x'], ['cid', 'bob:x'],
        ['bob', 'bob:x'], ['cid', "bob\nx"], ['cid', '{x}'], ['bob', '0'];
is(scalar keys %seen, 8, 'ids do not run into one another');

$t->add($group, 'bob:x');
isnt($t->say_in('bob:x' => $group, 'y', client_msg_id => 'x')->msg_id,
     undef, 'nor into senders');
is($t->say_in(bob => $group, 'x', client_msg_id => 'x:x')->status, 200,
   'nor the other way');


# --- concurrent retries, over connections and workers

{
    my @pid;
    pipe my $out, my $in;
    for my $n (1 .. 8) {
        my $pid = fork // die;
        if (!$pid) {
            for (1 .. 10) {
                my $r = $t->say(ann => 'dan', 'race', client_msg_id => 'r1');
                syswrite $in, $r->msg_id . ' ' . $r->msg_time . "\n";
                delete $t->{conn};
            }
            POSIX::_exit(0);
        }
        push @pid, $pid;
    }
    close $in;
    my %got;
    $got{$_}++ while <$out>;
    waitpid $_, 0 for @pid;
    is(scalar keys %got, 1, 'one answer to 80 concurrent sends');
    is((values %got)[0], 80, 'all were answered');
    is(scalar @{ $t->pair('ann', 'dan') }, 1, 'one message');
    is($t->unread('dan'), 1, 'one unread');
}


# --- within the window, however many came since

my $old = $t->say(ann => 'eve', 'n0', client_msg_id => 'n0');
$t->say(ann => 'eve', "n$_", client_msg_id => "n$_") for 1 .. 1500;
same_ok($t->say(ann => 'eve', 'n0', client_msg_id => 'n0'), $old,
        'the first answer after 1500 others');
is($t->post('/im/send/msg', { from_id => 'ann', to_id => 'eve', msg => 'm',
   msg_type => 0, client_msg_id => 'n1' })->code, 'idempotency_conflict',
   'and the conflict');
is($t->unread('eve'), 1501, 'nothing stored twice');


# --- no answer: sent again, there is one message

my %lost = (from_id => 'ann', to_id => 'ida', msg => 'lost', msg_type => 0,
            client_msg_id => 'l1');
for my $n (1 .. 3) {
    $t->say(ann => 'ida', 'before');
    $t->signal_redis('STOP');
    my $r = $t->post('/hasty/send/msg', { %lost, client_msg_id => "l$n" });
    is($r->code, 'outcome_unknown', 'no answer of the store');
    $t->signal_redis('CONT');
    ok($t->poll(5, sub {
        $r = $t->post('/hasty/send/msg', { %lost, client_msg_id => "l$n" });
        return $r->status == 200;
    }), 'sent again');
    my @got = grep { $_->{msg} eq 'lost' } @{ $t->page($r->conv_id) };
    is(scalar @got, $n, 'there is one message');
    is($got[0]{msg_id}, $r->msg_id, 'the one told');
}
is($t->unread('ida'), 6, 'unread once each');


# --- what a crash left half done is repaired by the retry: here the lists of
# the two have lost the conversation

$first = $t->say(ann => 'jan', 'half', client_msg_id => 'h1');
$t->redis('DEL', $_) for grep { /\bjan\b|\bann\b/ }
    @{ $t->redis('KEYS', '*') };
is_deeply($t->list('jan'), [], 'a list that lost its conversation');
same_ok($t->say(ann => 'jan', 'half', client_msg_id => 'h1'), $first,
        'sent again, the same answer');
is($t->list($_)->[0]{conv_id}, $first->conv_id, "the list of $_ has it again")
    for qw(jan ann);
is($t->unread('jan'), 1, 'unread once');


# --- after the window

my %short = (from_id => 'ann', to_id => 'fay', msg => 'x', msg_type => 0,
             client_msg_id => 's1');
$first = $t->call('/short/send/msg', \%short);
same_ok($t->call('/short/send/msg', \%short), $first, 'within the window');
ok($t->poll(5, sub { $t->call('/short/send/msg', \%short)->msg_id
                     ne $first->msg_id }), 'a new message after it');

run_blocks($t);
$t->done;
done_testing;

__DATA__
=== first
--- call
/im/send/msg
--- json
{"from_id":"gil","to_id":"hal","msg":"one","msg_type":0,"client_msg_id":"k"}
--- answer
{}

=== another text
--- call
/im/send/msg
--- json
{"from_id":"gil","to_id":"hal","msg":"two","msg_type":0,"client_msg_id":"k"}
--- code
idempotency_conflict
--- error_like
client_msg_id

=== another type
--- call
/im/send/msg
--- json
{"from_id":"gil","to_id":"hal","msg":"one","msg_type":1,"client_msg_id":"k"}
--- code
idempotency_conflict
--- error_like
client_msg_id

=== the same, written otherwise
--- call
/im/send/msg
--- json
{ "client_msg_id": "\u006b", "msg_type": 0, "msg": "\u006fne", "to_id": "hal", "from_id": "gil", "more": 1 }
--- answer
{}
--- unchanged

=== refused sends leave no trace of their id
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"nosuch","msg":"one","msg_type":0,"client_msg_id":"z"}
--- code
conv_not_found

=== too long
--- call
/im/send/msg
--- json
{"from_id":"gil","to_id":"hal","msg":"one","msg_type":0,"client_msg_id":"{{k 65}}"}
--- code
bad_request
--- error_like
client_msg_id

=== not a string
--- call
/im/send/msg
--- json
{"from_id":"gil","to_id":"hal","msg":"one","msg_type":0,"client_msg_id":7}
--- code
bad_request
--- error_like
client_msg_id
