# Groups: creation, members, their list.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(conf_server => <<'CONF')->start;
        location /small/ { im_pass store; im_group_max_members 4; }
CONF

my $vars = { pair => $t->say(ann => 'bob', 'x')->conv_id };
$t->profile('bob', name => 'Bob', img => 'i');
run_blocks($t, undef, $vars);

sub ids { [ map { $_->{id} } @{ $t->members($_[0]) } ] }

my %seen;
for (1 .. 20) {
    my $id = $t->group('ann', []);
    ok(!$seen{$id}++, 'a new id') or last;
    like($id, qr/^[A-Za-z0-9_.:@-]{1,64}$/, 'of the form of ids');
    unlike($id, qr/^(?:[0-9a-f]{24}|list)$/, 'and not of those refused');
}


# --- new members see the whole history and start with nothing unread

my $g = $t->group(ann => ['bob']);
$t->say_in(ann => $g, "m$_") for 1 .. 5;
is($t->unread_in(bob => $g), 5, 'unread of an old member');
$t->add($g, 'new');
is($t->unread_in(new => $g), 0, 'unread of a new one');
is($t->unread('new'), 0, 'in all');
is_deeply($t->texts($t->page($g)), [ map { "m$_" } reverse 1 .. 5 ],
          'the whole history');
$t->say_in(bob => $g, 'm6');
is($t->unread_in(new => $g), 1, 'what comes after is unread');
$t->add($g, 'new');
is($t->unread_in(new => $g), 1, 'joining again changes nothing');
$t->say_in(new => $g, 'mine');
is($t->page($g)->[0]{from_id}, 'new', 'a new member may send');


# --- limits

my @many = map { "m$_" } 1 .. 499;
my $big = $t->group(ann => \@many);
is_deeply(ids($big), [ 'ann', @many ], '500 members');
is($t->post('/im/creat/group', { owner_id => 'ann', name => 'g',
            member => [ @many, 'm500' ] })->code, 'group_full', '501 members');
my $before = $t->snapshot;
is($t->post('/im/add/group/merber', { conv_id => $big, member => ['more'] })
   ->code, 'group_full', 'one more');
is_deeply($t->snapshot, $before, 'changes nothing');
$t->add($big, 'm1', 'ann', 'm499');
is(scalar @{ ids($big) }, 500, 'known members count no second time');
$t->say_in(m7 => $big, 'to 500');
is($t->unread_in(m499 => $big), 1, 'reaches all');
is($t->list('ann')->[0]{last_msg}, 'to 500', 'in every list');

$t->done;
done_testing;

__DATA__
=== created
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"群1","member":["b","a","own"],"img":"http://x.png","description":"群1xxx"}
--- answer
{}
--- header
X-IM-Conv-Id: /^[A-Za-z0-9_.:@-]{1,64}$/
X-IM-Msg-Id: -
--- keep
g X-IM-Conv-Id

=== members in joining order, the owner first
--- call
/im/group/{{g}}/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":""},{"id":"a","name":"","alias":""}]
--- unchanged

=== only what is asked
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x"}
--- answer
{}
--- keep
alone X-IM-Conv-Id

=== the owner alone
--- call
/im/group/{{alone}}/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""}]

=== repeated ids count once
--- call
/small/creat/group
--- json
{"owner_id":"own","name":"x","member":["a","b","a","own","b","c","c"]}
--- answer
{}
--- keep
four X-IM-Conv-Id

=== each is there once
--- call
/im/group/{{four}}/list
--- json
{}
--- like
^\[\{"id":"own",[^}]*\},\{"id":"a",[^}]*\},\{"id":"b",[^}]*\},\{"id":"c",[^}]*\}\]$

=== an id of the caller's own
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x","conv_id":"my.group:1","member":["bob"]}
--- answer
{}
--- header
X-IM-Conv-Id: my.group:1

=== taken
--- call
/im/creat/group
--- json
{"owner_id":"other","name":"y","conv_id":"my.group:1"}
--- code
conv_exists
--- error_like
conv_id

=== taken, by the same owner
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x","conv_id":"my.group:1","member":["bob"]}
--- code
conv_exists

=== nothing of that was stored
--- call
/im/group/my.group:1/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"bob","name":"Bob","alias":""}]

=== the form of a 1:1 conversation
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x","conv_id":"{{pair}}"}
--- code
bad_request
--- error_like
conv_id

=== the word list
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x","conv_id":"list"}
--- code
bad_request
--- error_like
conv_id

=== owner_id is asked
--- call
/im/creat/group
--- json
{"name":"x","member":["a"]}
--- code
bad_request
--- error_like
owner_id

=== name is asked
--- call
/im/creat/group
--- json
{"owner_id":"own","member":["a"]}
--- code
bad_request
--- error_like
\bname\b

=== past the limit
--- call
/small/creat/group
--- json
{"owner_id":"own","name":"x","member":["a","b","c","d"]}
--- code
group_full
--- error_like
member

=== the correct spelling
--- call
/im/create/group
--- json
{"owner_id":"own","name":"x","member":["a"],"conv_id":"spelt"}
--- answer
{}
--- header
X-IM-Conv-Id: spelt

=== added
--- call
/im/add/group/merber
--- json
{"conv_id":"spelt","member":["z","y"]}
--- answer
{}

=== added, in the correct spelling; known ones skipped, repeated ones once
--- call
/im/add/group/member
--- json
{"conv_id":"spelt","member":["a","x","own","x","z"]}
--- answer
{}

=== in joining order
--- call
/im/group/spelt/list
--- json
{}
--- like
^\[\{"id":"own",.*"id":"a",.*"id":"z",.*"id":"y",.*"id":"x",[^{]*\]$

=== known ones alone
--- call
/im/add/group/merber
--- json
{"conv_id":"spelt","member":["a","own"]}
--- answer
{}
--- unchanged

=== all or none
--- before
/small/creat/group {"owner_id":"own","name":"x","member":["a"],"conv_id":"two"}
--- call
/small/add/group/merber
--- json
{"conv_id":"two","member":["b","c","d"]}
--- code
group_full
--- error_like
member

=== up to the limit
--- call
/small/add/group/merber
--- json
{"conv_id":"two","member":["b","a","c","b"]}
--- answer
{}

=== full
--- call
/small/add/group/merber
--- json
{"conv_id":"two","member":["a","d"]}
--- code
group_full

=== unknown group
--- call
/im/add/group/merber
--- json
{"conv_id":"nosuch","member":["a"]}
--- code
conv_not_found
--- error_like
conv_id

=== conv_id is asked
--- call
/im/add/group/merber
--- json
{"member":["a"]}
--- code
bad_request
--- error_like
conv_id

=== member is asked
--- call
/im/add/group/merber
--- json
{"conv_id":"spelt"}
--- code
bad_request
--- error_like
member

=== a 1:1 takes no members
--- call
/im/add/group/merber
--- json
{"conv_id":"{{pair}}","member":["a"]}
--- code
not_group
--- error_like
conv_id

=== members of an unknown group
--- call
/im/group/nosuch/list
--- json
{}
--- code
conv_not_found
--- error_like
conv_id

=== members of a 1:1
--- call
/im/group/{{pair}}/list
--- json
{}
--- code
not_group
--- error_like
conv_id

=== a group needs conv_id: a stranger may not send
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"spelt","msg":"x","msg_type":0}
--- code
not_member
--- error_like
from_id|conv_id
