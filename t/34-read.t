# What is unread: sends, pages, /im/conv/{conv_id}/read, /im/unread.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(conf_server => <<'CONF')->start;
        location /off/ { im_pass store; im_read_on_fetch off; }
CONF

my $pair = $t->say(ann => 'bob', 'm1')->conv_id;
my $group = $t->group(ann => [qw(bob cid)]);

sub unread_is {
    my ($n, $name, $user, $conv) = @_;
    is($t->unread_in($user || 'bob', $conv || $pair), $n, $name);
}

sub ids {   # of the messages of the pair, oldest first
    return map { $_->{msg_id} } reverse @{ $t->page($pair, page_size => 200) };
}


# --- sends

is($t->unread('nobody'), 0, 'a user without conversations');
unread_is(1, 'one for the other');
unread_is(0, 'own is never unread', 'ann');
$t->say(ann => 'bob', "m$_") for 2 .. 5;
unread_is(5, 'five');
$t->say_in(ann => $group, "g$_") for 1 .. 3;
is($t->unread('bob'), 8, 'total over conversations');
is($t->unread('cid'), 3, 'of another');
is($t->unread('ann'), 0, 'of the sender');

$t->say(bob => 'ann', 'm6');
unread_is(0, 'an own send reads all before it');
unread_is(1, 'for the other it is one', 'ann');
$t->say(ann => 'bob', 'm7');
unread_is(1, 'one after the own send');
unread_is(0, 'ann has answered', 'ann');


# --- pages

my $before = $t->snapshot;
$t->page($pair);
unread_is(1, 'a page without a viewer reads nothing');
$t->page($pair, from_id => 'bob', page_no => 2, page_size => 1);
unread_is(1, 'page 2 reads nothing');
$t->call("/off/conv/$pair", { from_id => 'bob' });
$t->call('/off/from/to', { from_id => 'bob', to_id => 'ann' });
unread_is(1, 'im_read_on_fetch off');
is_deeply($t->snapshot, $before, 'and no key has changed');
$t->page($pair, from_id => 'ann');
unread_is(1, "the other's page reads nothing");
$t->page($pair, from_id => 'bob', page_size => 1);
unread_is(0, 'page 1 with a viewer reads, whatever its size');
$before = $t->snapshot;
$t->page($pair, from_id => 'bob');
is_deeply($t->snapshot, $before, 'again: nothing to do, nothing changed');

$t->say(ann => 'bob', "m$_") for 8 .. 10;
unread_is(3, 'three');
$t->pair('ann', 'bob');
unread_is(3, 'from/to reads for from_id alone');
$t->pair('bob', 'ann', page_no => 2, page_size => 2);
unread_is(3, 'from/to page 2 reads nothing');
$t->pair('bob', 'ann', page_size => 1);
unread_is(0, 'from/to page 1 reads');
$t->page($group, from_id => 'bob');
unread_is(0, 'a group as well', 'bob', $group);
unread_is(3, 'for the viewer only', 'cid', $group);

my $r = $t->post("/im/conv/$group", { from_id => 'eve' });
is($r->code, 'not_member', 'a viewer is a member');


# --- read

$t->say(ann => 'bob', "m$_") for 11 .. 15;
my @id = ids();
unread_is(5, 'five');
is($t->mark(bob => $pair, $id[11])->body, '{}', 'read up to a message');
unread_is(3, 'three left');
$before = $t->snapshot;
$t->mark(bob => $pair, $id[10]);
$t->mark(bob => $pair, $id[0]);
unread_is(3, 'never backwards');
is_deeply($t->snapshot, $before, 'nothing changed');
$t->mark(bob => $pair, $id[13]);
unread_is(1, 'further');
$t->mark(bob => $pair, $id[14]);
unread_is(0, 'to the last');
$t->say(ann => 'bob', 'm16');
$t->mark(bob => $pair);
unread_is(0, 'all');
$t->mark(bob => $pair);
unread_is(0, 'all, with nothing unread');
$t->mark(ann => $pair, $id[0]);
unread_is(0, 'an own message read changes nothing', 'ann');
$t->say(ann => 'bob', 'm17');
unread_is(1, 'the next is unread');

is($t->mark(cid => $group)->body, '{}', 'read in a group');
is($t->unread('cid'), 0, 'nothing left');
my $empty = $t->group(ann => ['bob']);
is($t->mark(bob => $empty)->body, '{}', 'read where there is no message');
unread_is(0, 'nothing unread', 'bob', $empty);
$t->say_in(ann => $empty, 'first');
unread_is(1, 'the first one is', 'bob', $empty);


# --- listing and counting change nothing

$before = $t->snapshot;
$t->unread('bob');
$t->list('bob');
is_deeply($t->snapshot, $before, 'no key has changed');

run_blocks($t, undef, { pair => $pair, group => $group, id => $id[0],
                        gid => $t->page($group)->[0]{msg_id} });
$t->done;
done_testing;

__DATA__
=== total
--- call
/im/unread
--- json
{"from_id":"bob"}
--- answer
{"total":2}
--- unchanged

=== total of a stranger
--- call
/im/unread
--- json
{"from_id":"stranger"}
--- answer
{"total":0}

=== unread of nobody
--- call
/im/unread
--- json
{}
--- code
bad_request
--- error_like
from_id

=== read of nobody
--- call
/im/conv/{{pair}}/read
--- json
{}
--- code
bad_request
--- error_like
from_id

=== read: unknown conversation
--- call
/im/conv/nosuch/read
--- json
{"from_id":"bob"}
--- code
conv_not_found
--- error_like
conv_id

=== read: a message that is not there
--- call
/im/conv/{{pair}}/read
--- json
{"from_id":"bob","msg_id":"nosuch"}
--- code
msg_not_found
--- error_like
msg_id

=== read: a message of another conversation
--- call
/im/conv/{{pair}}/read
--- json
{"from_id":"bob","msg_id":"{{gid}}"}
--- code
msg_not_found
--- error_like
msg_id

=== read: not a member
--- call
/im/conv/{{pair}}/read
--- json
{"from_id":"eve"}
--- code
not_member
--- error_like
from_id|conv_id

=== read: not a member, of a message
--- call
/im/conv/{{pair}}/read
--- json
{"from_id":"eve","msg_id":"{{id}}"}
--- code
not_member

=== page: a viewer who is not a member
--- call
/im/conv/{{group}}
--- json
{"from_id":"eve"}
--- code
not_member
--- error_like
from_id|conv_id
