# The calls on a group's members and settings, each rule a block: who may, what
# is refused and in which order, what others see.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_server => <<'CONF',
        location /as/ { im_pass store; im_user $http_x_user; }
        location /full/ { im_pass store; im_reply full; }
        location /two/ { im_pass store; im_group_max_members 2; }
CONF
)->start;

my $pair = $t->say(ann => 'bob', 'x')->conv_id;
my $vars = { pair => $pair, nopair => substr($pair, 1) . '0' };
run_blocks($t, undef, $vars);

$t->done;
done_testing;

__DATA__
=== alias: of a member
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["b","a"],"conv_id":"al"}
--- call
/im/group/al/alias
--- json
{"id":"a","alias":"Aé \"1\"\\"}
--- answer
{}
--- header
X-IM-Conv-Id: -

=== alias: in the list of members, nowhere else
--- before
/im/user/set {"users":[{"id":"a","name":"A"}]}
/im/group/al/alias {"id":"own","alias":"boss"}
--- call
/im/group/al/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":"boss"},{"id":"b","name":"","alias":""},{"id":"a","name":"A","alias":"Aé \"1\"\\"}]
--- unchanged

=== alias: of this group only
--- before
/im/creat/group {"owner_id":"a","name":"x","member":["own"],"conv_id":"al2"}
--- call
/im/group/al2/list
--- json
{}
--- answer
[{"id":"a","name":"A","alias":""},{"id":"own","name":"","alias":""}]

=== alias: another one
--- before
/im/group/al/alias {"id":"own","alias":"two"}
--- call
/im/group/al/list
--- json
{}
--- like
^\[\{"id":"own","name":"","alias":"two"\}

=== alias: of 128 bytes
--- call
/im/group/al/alias
--- json
{"id":"b","alias":"{{é 64}}"}
--- answer
{}

=== alias: is there whole
--- call
/im/group/al/list
--- json
{}
--- like
"id":"b","name":"","alias":"{{é 64}}"

=== alias: "" takes it away
--- before
/im/group/al/alias {"id":"b","alias":""}
/im/group/al/alias {"id":"own","alias":""}
--- call
/im/group/al/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":""},{"id":"a","name":"A","alias":"Aé \"1\"\\"}]

=== alias: taken away again
--- call
/im/group/al/alias
--- json
{"id":"b","alias":""}
--- answer
{}
--- unchanged

=== alias: too long
--- call
/im/group/al/alias
--- json
{"id":"b","alias":"{{é 64}}x"}
--- code
bad_request
--- error_like
alias

=== alias: is asked
--- call
/im/group/al/alias
--- json
{"id":"b"}
--- code
bad_request
--- error_like
alias

=== alias: a string
--- call
/im/group/al/alias
--- json
{"id":"b","alias":1}
--- code
bad_request
--- error_like
alias

=== alias: id is asked
--- call
/im/group/al/alias
--- json
{"alias":"x"}
--- code
bad_request
--- error_like
\bid\b

=== alias: before the conversation is looked up
--- call
/im/group/nosuch/alias
--- json
{"id":"a","alias":5}
--- code
bad_request

=== alias: no such group
--- call
/im/group/nosuch/alias
--- json
{"id":"a","alias":"x"}
--- code
conv_not_found

=== alias: no member
--- call
/im/group/al/alias
--- json
{"id":"zoe","alias":"x"}
--- code
not_member

=== alias: a 1:1
--- call
/im/group/{{pair}}/alias
--- json
{"id":"ann","alias":"x"}
--- code
not_group

=== alias: a 1:1 of others
--- call
/im/group/{{pair}}/alias
--- json
{"id":"zoe","alias":"x"}
--- code
not_member

=== alias: by the member himself
--- call
/as/group/al/alias
--- request_header
X-User: b
--- json
{"id":"b","alias":"me"}
--- answer
{}

=== alias: by the owner
--- call
/as/group/al/alias
--- request_header
X-User: own
--- json
{"id":"b","alias":"Bee"}
--- answer
{}

=== alias: is set by both
--- call
/im/group/al/list
--- json
{}
--- like
"id":"b","name":"","alias":"Bee"

=== alias: not by another member
--- call
/as/group/al/alias
--- request_header
X-User: a
--- json
{"id":"b","alias":"x"}
--- code
forbidden
--- error_like
owner

=== alias: not by a stranger, of a member
--- call
/as/group/al/alias
--- request_header
X-User: zoe
--- json
{"id":"b","alias":"x"}
--- code
not_member

=== alias: not by a stranger, of himself
--- call
/as/group/al/alias
--- request_header
X-User: zoe
--- json
{"id":"zoe","alias":"x"}
--- code
not_member

=== alias: by the owner, of a stranger
--- call
/as/group/al/alias
--- request_header
X-User: own
--- json
{"id":"zoe","alias":"x"}
--- code
not_member

=== alias: by a member, of a stranger
--- call
/as/group/al/alias
--- request_header
X-User: a
--- json
{"id":"zoe","alias":"x"}
--- code
forbidden

=== alias: a 1:1 to its user
--- call
/as/group/{{pair}}/alias
--- request_header
X-User: ann
--- json
{"id":"bob","alias":"x"}
--- code
not_group

=== alias: a 1:1 to others is not there
--- call
/as/group/{{pair}}/alias
--- request_header
X-User: zoe
--- json
{"id":"ann","alias":"x"}
--- code
conv_not_found

=== alias: goes with its member
--- before
/im/group/al/leave {"from_id":"b"}
/im/add/group/merber {"conv_id":"al","member":["b"]}
--- call
/im/group/al/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"a","name":"A","alias":"Aé \"1\"\\"},{"id":"b","name":"","alias":""}]

=== alias: goes with who is removed
--- before
/im/group/al/remove {"from_id":"own","member":["a"]}
/im/add/group/merber {"conv_id":"al","member":["a"]}
--- call
/im/group/al/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":""},{"id":"a","name":"A","alias":""}]

=== set: all three
--- before
/im/creat/group {"owner_id":"own","name":"old","member":["a"],"conv_id":"se","img":"i","description":"d"}
--- call
/im/group/se/set
--- json
{"from_id":"own","name":"群 \"new\"","img":"/n.png","description":"a\",\"img\":\"b\\"}
--- answer
{}

=== set: the list has them
--- call
/full/conv/list
--- json
{"from_id":"a"}
--- like
"conv_id":"se",.*"name":"群 \\"new\\"","img":"/n.png","description":"a\\",\\"img\\":\\"b\\\\"\}

=== set: name alone
--- before
/im/group/se/set {"from_id":"own","name":"\",\"img\":\""}
--- call
/full/conv/list
--- json
{"from_id":"a"}
--- like
"conv_id":"se",.*"name":"\\",\\"img\\":\\"","img":"/n.png","description":"a\\",\\"img\\":\\"b\\\\"\}

=== set: img alone, and away
--- before
/im/group/se/set {"from_id":"own","img":""}
--- call
/full/conv/list
--- json
{"from_id":"a"}
--- like
"conv_id":"se",.*"name":"\\",\\"img\\":\\"","img":"","description":"a\\",\\"img\\":\\"b\\\\"\}

=== set: description alone
--- before
/im/group/se/set {"from_id":"own","description":"%1 \\","name":"n\\"}
/im/group/se/set {"from_id":"own","description":"%1 %0"}
--- call
/full/conv/list
--- json
{"from_id":"own"}
--- like
"conv_id":"se",.*"name":"n\\\\","img":"","description":"%1 %0"\}

=== set: at the limits
--- call
/im/group/se/set
--- json
{"from_id":"own","name":"{{n 128}}","img":"{{i 4096}}","description":"{{d 8192}}"}
--- answer
{}

=== set: all of it is there
--- call
/full/conv/list
--- json
{"from_id":"own"}
--- like
"conv_id":"se",.*"name":"{{n 128}}","img":"{{i 4096}}","description":"{{d 8192}}"\}

=== set: nothing
--- call
/im/group/se/set
--- json
{"from_id":"own"}
--- code
bad_request
--- error_like
name.*img.*description

=== set: an empty name
--- call
/im/group/se/set
--- json
{"from_id":"own","name":""}
--- code
bad_request
--- error_like
\bname\b

=== set: name too long
--- call
/im/group/se/set
--- json
{"from_id":"own","name":"{{n 129}}"}
--- code
bad_request
--- error_like
\bname\b

=== set: img too long
--- call
/im/group/se/set
--- json
{"from_id":"own","img":"{{n 4097}}"}
--- code
bad_request
--- error_like
\bimg\b

=== set: description too long
--- call
/im/group/se/set
--- json
{"from_id":"own","description":"{{n 8193}}"}
--- code
bad_request
--- error_like
\bdescription\b

=== set: null is no string
--- call
/im/group/se/set
--- json
{"from_id":"own","name":"x","img":null}
--- code
bad_request
--- error_like
\bimg\b

=== set: from_id is asked
--- call
/im/group/se/set
--- json
{"name":"x"}
--- code
bad_request
--- error_like
from_id

=== set: nothing, of no group
--- call
/im/group/nosuch/set
--- json
{"from_id":"own"}
--- code
bad_request

=== set: by a member
--- call
/im/group/se/set
--- json
{"from_id":"a","name":"x"}
--- code
forbidden
--- error_like
owner

=== set: by a stranger
--- call
/im/group/se/set
--- json
{"from_id":"zoe","name":"x"}
--- code
not_member

=== set: no such group
--- call
/im/group/nosuch/set
--- json
{"from_id":"own","name":"x"}
--- code
conv_not_found

=== set: a 1:1
--- call
/im/group/{{pair}}/set
--- json
{"from_id":"bob","name":"x"}
--- code
not_group

=== set: a 1:1 of others
--- call
/im/group/{{pair}}/set
--- json
{"from_id":"zoe","name":"x"}
--- code
not_member

=== set: no such 1:1
--- call
/im/group/{{nopair}}/set
--- json
{"from_id":"bob","name":"x"}
--- code
conv_not_found

=== leave: a member
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["b","a","c"],"conv_id":"le"}
/im/send/msg {"from_id":"a","conv_id":"le","msg":"hi","msg_type":0}
--- call
/im/group/le/leave
--- json
{"from_id":"a"}
--- answer
{}

=== leave: is no member
--- call
/im/group/le/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":""},{"id":"c","name":"","alias":""}]

=== leave: nor in the lists of others
--- call
/im/conv/list
--- json
{"from_id":"c"}
--- like
"conv_id":"le","conv_type":1,"conv_users":\["own","b","c"\],"last_msg":"hi",.*"last_user_name":"A"

=== leave: what was written stays, with its name
--- call
/im/conv/le
--- json
{"from_id":"b"}
--- like
"msg":"hi","conv_id":"le","from_id":"a",.*"name":"A"

=== leave: twice
--- call
/im/group/le/leave
--- json
{"from_id":"a"}
--- code
not_member

=== leave: then no page
--- call
/im/conv/le
--- json
{"from_id":"a"}
--- code
not_member

=== leave: then no message
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"le","msg":"more","msg_type":0}
--- code
not_member

=== leave: then no mark
--- call
/im/conv/le/read
--- json
{"from_id":"a"}
--- code
not_member

=== leave: then no list of members
--- call
/as/group/le/list
--- request_header
X-User: a
--- json
{}
--- code
not_member

=== leave: then nobody is added
--- call
/as/add/group/merber
--- request_header
X-User: a
--- json
{"conv_id":"le","member":["a"]}
--- code
not_member

=== leave: a stranger
--- call
/im/group/le/leave
--- json
{"from_id":"zoe"}
--- code
not_member

=== leave: the owner
--- call
/im/group/le/leave
--- json
{"from_id":"own"}
--- code
is_owner
--- error_like
from_id

=== leave: not for another
--- call
/as/group/le/leave
--- request_header
X-User: own
--- json
{"from_id":"b"}
--- code
forbidden

=== leave: not for another, before the store is asked
--- call
/as/group/nosuch/leave
--- request_header
X-User: own
--- json
{"from_id":"b"}
--- code
forbidden

=== leave: from_id is asked
--- call
/im/group/le/leave
--- json
{}
--- code
bad_request
--- error_like
from_id

=== leave: no such group
--- call
/im/group/nosuch/leave
--- json
{"from_id":"own"}
--- code
conv_not_found

=== leave: not the form of an id
--- call
/im/group/x%20y/leave
--- json
{"from_id":"own"}
--- code
bad_request
--- error_like
conv_id

=== leave: a 1:1
--- call
/im/group/{{pair}}/leave
--- json
{"from_id":"bob"}
--- code
not_group

=== leave: a 1:1 of others
--- call
/as/group/{{pair}}/leave
--- request_header
X-User: zoe
--- json
{"from_id":"zoe"}
--- code
conv_not_found

=== remove: members; others are skipped, repeated ones too
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["b","a","c","d"],"conv_id":"re"}
--- call
/im/group/re/remove
--- json
{"from_id":"own","member":["c","zoe","b","c"]}
--- answer
{}

=== remove: are no members
--- call
/im/group/re/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"a","name":"A","alias":""},{"id":"d","name":"","alias":""}]

=== remove: again
--- call
/im/group/re/remove
--- json
{"from_id":"own","member":["c","zoe","b","c"]}
--- answer
{}
--- unchanged

=== remove: nobody
--- call
/im/group/re/remove
--- json
{"from_id":"own","member":[]}
--- answer
{}
--- unchanged

=== remove: nobody, by a member
--- call
/im/group/re/remove
--- json
{"from_id":"a","member":[]}
--- code
forbidden

=== remove: then no message
--- call
/im/send/msg
--- json
{"from_id":"c","conv_id":"re","msg":"more","msg_type":0}
--- code
not_member

=== remove: then no page
--- call
/im/conv/re
--- json
{"from_id":"b"}
--- code
not_member

=== remove: the owner
--- call
/im/group/re/remove
--- json
{"from_id":"own","member":["a","own"]}
--- code
bad_request
--- error_like
member

=== remove: nobody of them, then
--- call
/im/group/re/list
--- json
{}
--- like
"id":"a"

=== remove: the owner, by a member
--- call
/im/group/re/remove
--- json
{"from_id":"a","member":["own"]}
--- code
forbidden

=== remove: himself, by a member
--- call
/im/group/re/remove
--- json
{"from_id":"a","member":["a"]}
--- code
forbidden

=== remove: by a stranger
--- call
/im/group/re/remove
--- json
{"from_id":"zoe","member":["a"]}
--- code
not_member

=== remove: by who was removed
--- call
/im/group/re/remove
--- json
{"from_id":"b","member":["a"]}
--- code
not_member

=== remove: the owner of no group
--- call
/im/group/nosuch/remove
--- json
{"from_id":"own","member":["own"]}
--- code
conv_not_found

=== remove: in another's name
--- call
/as/group/re/remove
--- request_header
X-User: a
--- json
{"from_id":"own","member":["d"]}
--- code
forbidden

=== remove: member is asked
--- call
/im/group/re/remove
--- json
{"from_id":"own"}
--- code
bad_request
--- error_like
member

=== remove: not an id
--- call
/im/group/re/remove
--- json
{"from_id":"own","member":["a",""]}
--- code
bad_request
--- error_like
member

=== remove: more than a group may have
--- call
/two/group/re/remove
--- json
{"from_id":"own","member":["a","d","e"]}
--- code
bad_request
--- error_like
member.*2

=== remove: as many
--- call
/two/group/re/remove
--- json
{"from_id":"own","member":["a","d","a"]}
--- answer
{}

=== remove: the owner is left
--- call
/im/group/re/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""}]

=== remove: a 1:1
--- call
/im/group/{{pair}}/remove
--- json
{"from_id":"ann","member":["bob"]}
--- code
not_group

=== remove: a 1:1 of others
--- call
/im/group/{{pair}}/remove
--- json
{"from_id":"zoe","member":["bob"]}
--- code
not_member

=== transfer: to a member
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["b","a","c"],"conv_id":"tr"}
--- call
/im/group/tr/transfer
--- json
{"from_id":"own","to_id":"a"}
--- answer
{}

=== transfer: the new owner is first
--- call
/im/group/tr/list
--- json
{}
--- answer
[{"id":"a","name":"A","alias":""},{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":""},{"id":"c","name":"","alias":""}]

=== transfer: conv_users are as they joined
--- call
/im/conv/list
--- json
{"from_id":"c"}
--- like
"conv_id":"tr","conv_type":1,"conv_users":\["own","b","a","c"\]

=== transfer: not by the old owner
--- call
/im/group/tr/transfer
--- json
{"from_id":"own","to_id":"b"}
--- code
forbidden
--- error_like
owner

=== transfer: not to himself, by the old owner
--- call
/im/group/tr/transfer
--- json
{"from_id":"own","to_id":"own"}
--- code
forbidden

=== transfer: to oneself
--- call
/im/group/tr/transfer
--- json
{"from_id":"a","to_id":"a"}
--- answer
{}
--- unchanged

=== transfer: to a stranger
--- call
/im/group/tr/transfer
--- json
{"from_id":"a","to_id":"zoe"}
--- code
not_member

=== transfer: by a stranger
--- call
/im/group/tr/transfer
--- json
{"from_id":"zoe","to_id":"zoe"}
--- code
not_member

=== transfer: in another's name
--- call
/as/group/tr/transfer
--- request_header
X-User: b
--- json
{"from_id":"a","to_id":"b"}
--- code
forbidden

=== transfer: to_id is asked
--- call
/im/group/tr/transfer
--- json
{"from_id":"a"}
--- code
bad_request
--- error_like
to_id

=== transfer: no such group
--- call
/im/group/nosuch/transfer
--- json
{"from_id":"a","to_id":"a"}
--- code
conv_not_found

=== transfer: a 1:1
--- call
/im/group/{{pair}}/transfer
--- json
{"from_id":"ann","to_id":"bob"}
--- code
not_group

=== transfer: the old owner may leave
--- call
/im/group/tr/leave
--- json
{"from_id":"own"}
--- answer
{}

=== transfer: the new one may not
--- call
/im/group/tr/leave
--- json
{"from_id":"a"}
--- code
is_owner

=== transfer: the new one may what an owner may
--- before
/im/group/tr/set {"from_id":"a","name":"mine"}
/im/group/tr/remove {"from_id":"a","member":["b"]}
/im/add/group/merber {"conv_id":"tr","member":["own"]}
--- call
/im/group/tr/list
--- json
{}
--- answer
[{"id":"a","name":"A","alias":""},{"id":"c","name":"","alias":""},{"id":"own","name":"","alias":""}]

=== transfer: back
--- before
/im/group/tr/transfer {"from_id":"a","to_id":"own"}
--- call
/im/group/tr/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"a","name":"A","alias":""},{"id":"c","name":"","alias":""}]

=== dismiss: not by a member
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["b","a","c"],"conv_id":"di"}
/im/send/msg {"from_id":"a","conv_id":"di","msg":"one","msg_type":0,"client_msg_id":"k1"}
/im/group/di/alias {"id":"b","alias":"Bee"}
--- call
/im/group/di/dismiss
--- json
{"from_id":"a"}
--- code
forbidden
--- error_like
owner

=== dismiss: not by a stranger
--- call
/im/group/di/dismiss
--- json
{"from_id":"zoe"}
--- code
not_member

=== dismiss: in another's name
--- call
/as/group/di/dismiss
--- request_header
X-User: a
--- json
{"from_id":"own"}
--- code
forbidden

=== dismiss: no such group
--- call
/im/group/nosuch/dismiss
--- json
{"from_id":"own"}
--- code
conv_not_found

=== dismiss: a 1:1
--- call
/im/group/{{pair}}/dismiss
--- json
{"from_id":"ann"}
--- code
not_group

=== dismiss: from_id is asked
--- call
/im/group/di/dismiss
--- json
{}
--- code
bad_request
--- error_like
from_id

=== dismiss: by the owner
--- call
/im/group/di/dismiss
--- json
{"from_id":"own"}
--- answer
{}

=== dismiss: again
--- call
/im/group/di/dismiss
--- json
{"from_id":"own"}
--- answer
{}
--- unchanged

=== dismiss: again, by a member
--- call
/im/group/di/dismiss
--- json
{"from_id":"a"}
--- code
forbidden

=== dismissed: no message
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"di","msg":"two","msg_type":0}
--- code
dismissed

=== dismissed: no message of the owner
--- call
/im/send/msg
--- json
{"from_id":"own","conv_id":"di","msg":"two","msg_type":0,"client_msg_id":"k1"}
--- code
dismissed

=== dismissed: a stranger is told that first
--- call
/im/send/msg
--- json
{"from_id":"zoe","conv_id":"di","msg":"two","msg_type":0}
--- code
not_member

=== dismissed: a message sent again has its first answer
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"di","msg":"one","msg_type":0,"client_msg_id":"k1"}
--- header
X-IM-Msg-Id: /^1-/
--- unchanged

=== dismissed: with another content
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"di","msg":"other","msg_type":0,"client_msg_id":"k1"}
--- code
idempotency_conflict

=== dismissed: nobody is added
--- call
/im/add/group/merber
--- json
{"conv_id":"di","member":["e"]}
--- code
dismissed

=== dismissed: nobody new, too
--- call
/im/add/group/merber
--- json
{"conv_id":"di","member":["a"]}
--- code
dismissed

=== dismissed: nobody at all, too
--- call
/im/add/group/merber
--- json
{"conv_id":"di","member":[]}
--- code
dismissed

=== dismissed: nobody by a stranger
--- call
/as/add/group/merber
--- request_header
X-User: zoe
--- json
{"conv_id":"di","member":["zoe"]}
--- code
not_member

=== dismissed: more than may be
--- call
/two/add/group/merber
--- json
{"conv_id":"di","member":["e","f","g"]}
--- code
dismissed

=== dismissed: no set
--- call
/im/group/di/set
--- json
{"from_id":"own","name":"x"}
--- code
dismissed

=== dismissed: no set by a member
--- call
/im/group/di/set
--- json
{"from_id":"a","name":"x"}
--- code
forbidden

=== dismissed: no alias
--- call
/im/group/di/alias
--- json
{"id":"b","alias":"x"}
--- code
dismissed

=== dismissed: no alias is taken away
--- call
/im/group/di/alias
--- json
{"id":"b","alias":""}
--- code
dismissed

=== dismissed: no alias of a stranger
--- call
/im/group/di/alias
--- json
{"id":"zoe","alias":""}
--- code
not_member

=== dismissed: nobody is removed
--- call
/im/group/di/remove
--- json
{"from_id":"own","member":["a"]}
--- code
dismissed

=== dismissed: the owner is not
--- call
/im/group/di/remove
--- json
{"from_id":"own","member":["own"]}
--- code
bad_request

=== dismissed: by a member not at all
--- call
/im/group/di/remove
--- json
{"from_id":"a","member":["b"]}
--- code
forbidden

=== dismissed: no transfer
--- call
/im/group/di/transfer
--- json
{"from_id":"own","to_id":"a"}
--- code
dismissed

=== dismissed: no transfer to oneself
--- call
/im/group/di/transfer
--- json
{"from_id":"own","to_id":"own"}
--- code
dismissed

=== dismissed: no transfer to a stranger
--- call
/im/group/di/transfer
--- json
{"from_id":"own","to_id":"zoe"}
--- code
not_member

=== dismissed: lists go on
--- call
/im/conv/list
--- json
{"from_id":"c"}
--- like
"conv_id":"di","conv_type":1,"conv_users":\["own","b","a","c"\],"last_msg":"one",.*"unread_count":1\}

=== dismissed: the list of members goes on
--- call
/im/group/di/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":"Bee"},{"id":"a","name":"A","alias":""},{"id":"c","name":"","alias":""}]

=== dismissed: marks go on
--- before
/im/conv/le/read {"from_id":"c"}
--- call
/im/conv/di/read
--- json
{"from_id":"c"}
--- answer
{}

=== dismissed: and were set
--- call
/im/unread
--- json
{"from_id":"c"}
--- like
"total":0

=== dismissed: pages go on
--- call
/im/conv/di
--- json
{"from_id":"b"}
--- like
"msg":"one","conv_id":"di"

=== dismissed: and marked as read
--- call
/im/unread
--- json
{"from_id":"b"}
--- like
"total":0

=== dismissed: its id is taken
--- call
/im/creat/group
--- json
{"owner_id":"own","name":"x","conv_id":"di"}
--- code
conv_exists

=== dismissed: members may leave
--- before
/im/group/di/leave {"from_id":"a"}
/im/group/di/leave {"from_id":"c"}
--- call
/im/group/di/list
--- json
{}
--- answer
[{"id":"own","name":"","alias":""},{"id":"b","name":"","alias":"Bee"}]

=== dismissed: sent again by who has left
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"di","msg":"one","msg_type":0,"client_msg_id":"k1"}
--- code
not_member

=== dismissed: the owner may leave
--- call
/im/group/di/leave
--- json
{"from_id":"own"}
--- answer
{}

=== dismissed: the owner that was is a stranger
--- call
/im/group/di/dismiss
--- json
{"from_id":"own"}
--- code
not_member

=== dismissed: without its owner
--- call
/im/group/di/list
--- json
{}
--- answer
[{"id":"b","name":"","alias":"Bee"}]

=== dismissed: the last one leaves
--- call
/im/group/di/leave
--- json
{"from_id":"b"}
--- answer
{}

=== nobody is left: the list of members
--- call
/im/group/di/list
--- json
{}
--- answer
[]

=== nobody is left: its id is taken
--- call
/im/creat/group
--- json
{"owner_id":"new","name":"x","conv_id":"di"}
--- code
conv_exists

=== nobody is left: nobody is added
--- call
/im/add/group/merber
--- json
{"conv_id":"di","member":["own"]}
--- code
dismissed

=== nobody is left: no message
--- call
/im/send/msg
--- json
{"from_id":"own","conv_id":"di","msg":"two","msg_type":0}
--- code
not_member

=== nobody is left: nobody leaves
--- call
/im/group/di/leave
--- json
{"from_id":"b"}
--- code
not_member

=== nobody is left: a backend reads what was written
--- call
/im/conv/di
--- json
{}
--- like
"msg":"one"

=== nobody is left: no list has it
--- call
/im/conv/list
--- json
{"from_id":"c"}
--- like
^(?!.*"conv_id":"di")

=== sent again by who was removed
--- before
/im/creat/group {"owner_id":"own","name":"x","member":["a"],"conv_id":"rs"}
/im/send/msg {"from_id":"a","conv_id":"rs","msg":"one","msg_type":0,"client_msg_id":"k1"}
/im/group/rs/remove {"from_id":"own","member":["a"]}
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"rs","msg":"one","msg_type":0,"client_msg_id":"k1"}
--- code
not_member

=== sent again by who was removed and has come back
--- before
/im/add/group/merber {"conv_id":"rs","member":["a"]}
--- call
/im/send/msg
--- json
{"from_id":"a","conv_id":"rs","msg":"one","msg_type":0,"client_msg_id":"k1"}
--- header
X-IM-Msg-Id: /^1-/
--- unchanged

=== im_reply full: set
--- call
/full/group/rs/set
--- json
{"from_id":"own","name":"y"}
--- answer
{}

=== im_reply full: alias
--- call
/full/group/rs/alias
--- json
{"id":"a","alias":"y"}
--- answer
{}

=== im_reply full: transfer
--- call
/full/group/rs/transfer
--- json
{"from_id":"own","to_id":"a"}
--- answer
{}

=== im_reply full: remove
--- call
/full/group/rs/remove
--- json
{"from_id":"a","member":["own"]}
--- answer
{}

=== im_reply full: dismiss
--- call
/full/group/rs/dismiss
--- json
{"from_id":"a"}
--- answer
{}

=== im_reply full: leave
--- call
/full/group/rs/leave
--- json
{"from_id":"a"}
--- answer
{}
