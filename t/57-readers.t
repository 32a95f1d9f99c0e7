# Up to which message each member has read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(workers => 2, conf_server => <<'CONF',
        location /who/ { im_pass store; im_user $http_x_user; }
        location /many/ { im_pass store; im_group_max_members 500; }
CONF
    log_format => '$im_call $im_store_commands')->start;

sub readers_are {
    my ($conv, $want, $what) = @_;
    is_deeply($t->readers($conv), $want, $what);
}


# --- a 1:1, in the order of its conv_users

{
    my @m = (undef, $t->say(zoe => 'ann', 'one'));
    my $c = $m[1]->conv_id;
    readers_are($c, [ zoe => $m[1]->msg_id, ann => '' ], 'the first sender, and who has read nothing');
    push @m, $t->say(zoe => 'ann', $_) for qw(two three);
    $t->mark(ann => $c, $m[2]->msg_id);
    readers_are($c, [ zoe => $m[3]->msg_id, ann => $m[2]->msg_id ], 'up to a message');
    $t->page($c, from_id => 'ann');
    readers_are($c, [ zoe => $m[3]->msg_id, ann => $m[3]->msg_id ], 'by a page');
    push @m, $t->say(ann => 'zoe', 'four');
    readers_are($c, [ zoe => $m[3]->msg_id, ann => $m[4]->msg_id ], 'by sending');
    $t->recall(zoe => $c, $m[3]->msg_id);
    readers_are($c, [ zoe => $m[3]->msg_id, ann => $m[4]->msg_id ], 'a recalled message is one');
    $t->hide(zoe => $c);
    readers_are($c, [ zoe => $m[3]->msg_id, ann => $m[4]->msg_id ], 'hiding is no reading');
}


# --- a group, owner first, then in joining order

my $g = $t->group(dan => [qw(cid bob ann)]);
readers_are($g, [ dan => '', cid => '', bob => '', ann => '' ], 'no messages');
$t->mark(bob => $g);
$t->page($g, from_id => 'ann');
readers_are($g, [ dan => '', cid => '', bob => '', ann => '' ], 'nothing to read');
my @m = (undef, map { $t->say_in(dan => $g, "m$_")->msg_id } 1 .. 3);
readers_are($g, [ dan => $m[3], cid => '', bob => '', ann => '' ], 'by sending');
$t->mark(ann => $g, $m[2]);
$t->page($g, from_id => 'bob', page_no => 2, page_size => 1);
readers_are($g, [ dan => $m[3], cid => '', bob => '', ann => $m[2] ], 'by a mark, not by page 2');
$t->page($g, from_id => 'bob');
readers_are($g, [ dan => $m[3], cid => '', bob => $m[3], ann => $m[2] ], 'by page 1');
$t->mark(ann => $g, $m[1]);
readers_are($g, [ dan => $m[3], cid => '', bob => $m[3], ann => $m[2] ], 'never back');
$t->hide($_ => $g) for qw(cid ann);
readers_are($g, [ dan => $m[3], cid => '', bob => $m[3], ann => $m[2] ], 'whoever hides it');
$t->redis('HSET', "im:{c:$g}:x", 'owner', 'bob');
readers_are($g, [ bob => $m[3], dan => $m[3], cid => '', ann => $m[2] ], 'another owner is the first');


# --- joining is not reading; a page and a mark are

$t->add($g, qw(eve fay gil));
is($t->unread('eve'), 0, 'nothing is unread');
readers_are($g, [ bob => $m[3], dan => $m[3], cid => '', ann => $m[2], eve => '', fay => '', gil => '' ],
            'nothing is read');
$t->page($g, from_id => 'eve');
$t->mark(fay => $g);
readers_are($g, [ bob => $m[3], dan => $m[3], cid => '', ann => $m[2], eve => $m[3], fay => $m[3], gil => '' ],
            'what was there is read by a page and a mark');
is($t->unread($_), 0, "$_ has nothing unread") for qw(eve fay gil);
push @m, $t->say_in(dan => $g, 'm4')->msg_id;
is($t->unread($_), 1, "one message of $_ is") for qw(eve fay gil);
$t->mark(gil => $g);
is({ @{ $t->readers($g) } }->{gil}, $m[4], 'and is read');


# --- 200 members, and no more; one round trip

my @many = map { "m$_" } 1 .. 199;
my $big = $t->call('/many/creat/group', { owner_id => 'own', name => 'big', member => \@many })->conv_id;
my @sent = map { $t->say_in($_ => $big, "of $_")->msg_id } @many[0 .. 149];
my $r = $t->readers($big);
is_deeply($r, [ own => '', map { ($many[$_] => $sent[$_] // '') } 0 .. 198 ], '200 members');
my @n;
$t->poll(3, sub { @n = map { /^conv_readers (\d+)/ } split /\n/, $t->access_log; @n > 5 });
is($n[-1], 1, 'one command');
$t->call('/many/add/group/merber', { conv_id => $big, member => ['one-more'] });

run_blocks($t, undef, { g => $g, big => $big, ab => $t->say(ann => 'bob', 'x')->conv_id,
                        last => $m[4] });
$t->done;
done_testing;

__DATA__
=== 201 members
--- call
/im/conv/{{big}}/readers
--- json
{"from_id":"own"}
--- code
group_too_large

=== 201 members, for a stranger
--- call
/im/conv/{{big}}/readers
--- json
{"from_id":"eve"}
--- code
not_member

=== the members, in their order
--- call
/im/conv/{{ab}}/readers
--- json
{"from_id":"bob"}
--- like
^\[\{"id":"ann","msg_id":"1-[0-9a-f]{16}"\},\{"id":"bob","msg_id":""\}\]$

=== an empty body
--- call
/im/conv/{{ab}}/readers
--- body
--- like
^\[\{"id":"ann",

=== a stranger to a 1:1
--- call
/im/conv/{{ab}}/readers
--- json
{"from_id":"eve"}
--- code
not_member

=== a stranger to a group
--- call
/im/conv/{{g}}/readers
--- json
{"from_id":"zoe"}
--- code
not_member

=== a stranger who is known, a 1:1
--- call
/who/conv/{{ab}}/readers
--- request_header
X-User: eve
--- json
{}
--- code
conv_not_found

=== a stranger who is known, a group
--- call
/who/conv/{{g}}/readers
--- request_header
X-User: zoe
--- json
{}
--- code
not_member

=== in another's name
--- call
/who/conv/{{g}}/readers
--- request_header
X-User: zoe
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== a member who is known
--- call
/who/conv/{{ab}}/readers
--- request_header
X-User: bob
--- json
{}
--- like
"id":"bob"

=== no such conversation
--- call
/im/conv/nosuch/readers
--- json
{}
--- code
conv_not_found

=== no such 1:1
--- call
/im/conv/0123456789abcdef01234567/readers
--- json
{}
--- code
conv_not_found

=== no id
--- call
/im/conv/{{ab}}/readers
--- json
{"from_id":"a b"}
--- code
bad_request
--- error_like
from_id
