# /im/conv/list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep);
use Test::More;
use Test::IM;

my $t = Test::IM->new(conf_server => <<'CONF')->start;
        location /few/ { im_pass store; im_list_max 3; }
CONF

# lists are in the order of the store's milliseconds: let one pass
sub tick {
    my $ms = sub { my ($s, $us) = @{ $t->redis('TIME') };
                   return int($s * 1000 + $us / 1000) };
    my $now = $ms->();
    wait_for(1, sub { $ms->() > $now + 1 });
}

sub raw { $t->call('/im/conv/list', { from_id => $_[0] })->body }


is(raw('nobody'), '[]', 'a user nobody wrote to');

$t->profile('CKD_P_1', name => "\x{767d}\x{4e9a}\x{73b2}", img => 'i');

my $sent = $t->say(CKD_P_1 => 'CKD_D_2', 'hello', msg_type => 2);
my ($ab, $time) = ($sent->conv_id, $sent->msg_time);
my $name = "\xe7\x99\xbd\xe4\xba\x9a\xe7\x8e\xb2";

my $entry = '[{"conv_id":"%s","conv_type":0,"conv_users":["CKD_P_1","CKD_D_2"]'
    . ',"users_type":["P","D"],"last_msg":"hello","last_msg_type":2,'
    . '"last_user_name":"%s","last_time":%s,"unread_count":%d}]';
is(raw('CKD_D_2'), sprintf($entry, $ab, $name, $time, 1),
   'a conversation of two, as the other sees it');
is(raw('CKD_P_1'), sprintf($entry, $ab, $name, $time, 0),
   'and as the sender sees it: the same, nothing unread');

tick();
$sent = $t->say(CKD_D_2 => 'CKD_P_1', 'answer');
my ($c) = @{ $t->list('CKD_P_1') };
is_deeply($c->{conv_users}, [qw(CKD_P_1 CKD_D_2)],
          'conv_users: the sender of the first message stays first');
is_deeply([ @$c{qw(last_msg last_msg_type last_user_name last_time
                   unread_count)} ],
          [ 'answer', 0, '', $sent->msg_time, 1 ],
          'the last message, from somebody without a profile');

my $other = $t->say(zoe => 'bob', 'x')->conv_id;
($c) = @{ $t->list('bob') };
is_deeply($c->{conv_users}, [qw(zoe bob)], 'conv_users is not sorted');
is_deeply($c->{users_type}, ['', ''], 'users_type of plain ids');

$t->say(zoe => 'CKD_T_7', 'x');
is_deeply($t->list('CKD_T_7')->[0]{users_type}, ['', 'T'], 'parallel');


# --- groups

tick();
my $before = $t->redis('TIME');
my $group = $t->group('CKD_D_2', [qw(zoe CKD_P_1)]);
my $after = $t->redis('TIME');
my $raw = raw('zoe');
like($raw, qr/^\[\{"conv_id":"\Q$group\E","conv_type":1,
    "conv_users":\["CKD_D_2","zoe","CKD_P_1"\],"last_msg":"",
    "last_msg_type":0,"last_user_name":"","last_time":\d{13},
    "unread_count":0\},/x, 'a group without messages, newest, no users_type');
my $made = $t->list('zoe')->[0]{last_time};
ok($made >= $before->[0] * 1000 && $made <= ($after->[0] + 1) * 1000,
   'its last_time is its creation');
is($t->list($_)->[0]{conv_id}, $group, "listed to $_") for qw(CKD_D_2 CKD_P_1);

tick();
$sent = $t->say_in(CKD_P_1 => $group, 'to all', msg_type => 4);
($c) = @{ $t->list('zoe') };
is_deeply([ @$c{qw(conv_id last_msg last_msg_type last_user_name last_time
                   unread_count)} ],
          [ $group, 'to all', 4, "\x{767d}\x{4e9a}\x{73b2}", $sent->msg_time,
            1 ], 'its last message');

tick();
$t->add($group, 'late');
($c) = @{ $t->list('late') };
is_deeply([ @$c{qw(conv_id last_msg unread_count)} ], [ $group, 'to all', 0 ],
          'a new member has it, nothing unread');
is_deeply($c->{conv_users}, [qw(CKD_D_2 zoe CKD_P_1 late)], 'joining order');


# --- order

my %conv;
for my $n (1 .. 8) {
    tick();
    $conv{$n} = $t->say("u$n" => 'ord', "from $n")->conv_id;
}
sub order { [ map { $_->{conv_id} } @{ $t->list('ord') } ] }
is_deeply(order(), [ @conv{reverse 1 .. 8} ], 'newest first');
tick();
$t->say(u3 => 'ord', 'again');
is_deeply(order(), [ @conv{3, 8, 7, 6, 5, 4, 2, 1} ],
          'a message moves its conversation up');
tick();
$t->say(ord => 'u6', 'own');
is_deeply(order(), [ @conv{6, 3, 8, 7, 5, 4, 2, 1} ],
          'so does an own message');
tick();
$t->page($conv{1}, from_id => 'ord');
$t->mark(ord => $conv{2});
is_deeply(order(), [ @conv{6, 3, 8, 7, 5, 4, 2, 1} ], 'reading does not');

my @few = map { $_->{conv_id} }
          @{ $t->call('/few/conv/list', { from_id => 'ord' })->json };
is_deeply(\@few, [ @conv{6, 3, 8} ], 'im_list_max: the newest');


# --- listing changes nothing

my $snap = $t->snapshot;
my $unread = $t->unread('ord');
$t->list('ord') for 1 .. 3;
is_deeply($t->snapshot, $snap, 'listing changes no key');
is($t->unread('ord'), $unread, 'nor what is unread');


# --- many

$t->say("n$_" => 'busy', "m$_") for 1 .. 509;
tick();
$t->say(n510 => 'busy', 'm510');
my $list = $t->list('busy');
is(scalar @$list, 500, 'at most 500 by default');
is($list->[0]{last_msg}, 'm510', 'the newest of them');
is(scalar(grep { $_->{unread_count} == 1 } @$list), 500, 'all unread');

run_blocks($t);
$t->done;
done_testing;

__DATA__
=== from_id is asked
--- call
/im/conv/list
--- json
{}
--- code
bad_request
--- error_like
from_id

=== a number is no id
--- call
/im/conv/list
--- json
{"from_id":1}
--- code
bad_request
--- error_like
from_id

=== page_no is not looked at
--- call
/im/conv/list
--- json
{"from_id":"nobody","page_no":7}
--- answer
[]
