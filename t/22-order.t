# Which refusal comes first: 400 and 413, then 404, then 403, then 409; and
# that none of them has changed a key.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_http => 'map $http_x_user $backend { "" on; }',
    conf_im => <<'CONF',
        im_user $http_x_user;
        im_trusted $backend;
        im_group_max_members 4;
CONF
)->start;

my $vars = {
    pair  => $t->say(ann => 'bob', 'first', client_msg_id => 'c1')->conv_id,
    other => $t->say(ann => 'cid', 'elsewhere')->conv_id,
    full  => $t->group(ann => [qw(bob cid dan)], conv_id => 'full'),
    some  => $t->group(ann => ['bob'], conv_id => 'some'),
};
$vars->{msg} = $t->page($vars->{other})->[0]{msg_id};

run_blocks($t, undef, $vars);
$t->done;
done_testing;

__DATA__
=== 405 before 400
--- call
GET /im/send/msg
--- json
{
--- code
method_not_allowed
--- header
Allow: POST

=== 400 before 404: bad JSON for an unknown conversation
--- call
/im/conv/nosuch
--- json
{
--- code
bad_json

=== 400 before 404: page of an unknown conversation
--- call
/im/conv/nosuch
--- json
{"page_size":0}
--- code
bad_request
--- error_like
page_size

=== 400 before 404: send into an unknown conversation
--- call
/im/send/msg
--- json
{"from_id":"ann","conv_id":"nosuch","msg":"x","msg_type":9}
--- code
bad_request
--- error_like
msg_type

=== 400 before 404: members for an unknown group
--- call
/im/add/group/merber
--- json
{"conv_id":"nosuch","member":["a b"]}
--- code
bad_request
--- error_like
member

=== 413 before 404: message too long for an unknown conversation
--- call
/im/send/msg
--- json
{"from_id":"ann","conv_id":"nosuch","msg":"{{x 32769}}","msg_type":0}
--- code
msg_too_long
--- error_like
\bmsg\b

=== 413 before 404: body too large
--- call
/im/conv/nosuch
--- json
{"x":"{{x 270000}}"}
--- code
body_too_large

=== 400 before 403: a stranger's bad message
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"{{full}}","msg":"","msg_type":0}
--- code
bad_request
--- error_like
\bmsg\b

=== 400 before 403: in another's name
--- call
/im/send/msg
--- request_header
X-User: eve
--- json
{"from_id":"ann","conv_id":"{{full}}","msg":"x","msg_type":9}
--- code
bad_request
--- error_like
msg_type

=== 413 before 403: in another's name
--- call
/im/send/msg
--- request_header
X-User: eve
--- json
{"from_id":"ann","conv_id":"{{full}}","msg":"{{x 32769}}","msg_type":0}
--- code
msg_too_long

=== 413 before 403: a stranger
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"{{full}}","msg":"{{x 32769}}","msg_type":0}
--- code
msg_too_long

=== 400 before 403: a stranger's page
--- call
/im/conv/{{full}}
--- request_header
X-User: eve
--- json
{"page_no":0}
--- code
bad_request
--- error_like
page_no

=== 400 before 409: the group's id is taken, its name is empty
--- call
/im/creat/group
--- json
{"owner_id":"ann","name":"","conv_id":"full"}
--- code
bad_request
--- error_like
\bname\b

=== 400 before 409: bad member for a full group
--- call
/im/add/group/merber
--- json
{"conv_id":"{{full}}","member":["eve",1]}
--- code
bad_request
--- error_like
member

=== 403 before 404: unknown message asked about by a stranger
--- call
/im/conv/{{some}}/read
--- json
{"from_id":"eve","msg_id":"{{msg}}"}
--- code
not_member
--- error_like
conv_id

=== 404 before 409: members for an unknown group
--- call
/im/add/group/merber
--- json
{"conv_id":"nosuch","member":["a","b","c","d","e"]}
--- code
conv_not_found
--- error_like
conv_id

=== 403 before 409: a stranger adds to a full group
--- call
/im/add/group/merber
--- request_header
X-User: eve
--- json
{"conv_id":"{{full}}","member":["eve"]}
--- code
not_member

=== 404 before 409: a stranger adds to a conversation of two
--- call
/im/add/group/merber
--- request_header
X-User: eve
--- json
{"conv_id":"{{pair}}","member":["eve"]}
--- code
conv_not_found

=== 403 before 409: a group in another's name, its id taken
--- call
/im/creat/group
--- request_header
X-User: eve
--- json
{"owner_id":"ann","name":"g","conv_id":"full"}
--- code
forbidden
--- error_like
owner_id

=== 403 before 409: a used client_msg_id in another's name
--- call
/im/send/msg
--- request_header
X-User: eve
--- json
{"from_id":"ann","to_id":"bob","msg":"other","msg_type":0,"client_msg_id":"c1"}
--- code
forbidden
--- error_like
from_id

=== bad_json
--- call
/im/send/msg
--- json
{"from_id":"ann"
--- code
bad_json

=== conv_mismatch
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","conv_id":"{{other}}","msg":"x","msg_type":0}
--- code
conv_mismatch
--- error_like
conv_id|to_id

=== forbidden
--- call
/im/send/msg
--- request_header
X-User: eve
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- code
forbidden
--- error_like
from_id

=== not_member
--- call
/im/send/msg
--- json
{"from_id":"eve","conv_id":"{{full}}","msg":"x","msg_type":0}
--- code
not_member
--- error_like
from_id|conv_id

=== not_found
--- call
/im/send
--- json
{}
--- code
not_found

=== conv_not_found
--- call
/im/send/msg
--- json
{"from_id":"ann","conv_id":"nosuch","msg":"x","msg_type":0}
--- code
conv_not_found
--- error_like
conv_id

=== msg_not_found
--- call
/im/conv/{{pair}}/read
--- json
{"from_id":"ann","msg_id":"nosuch"}
--- code
msg_not_found
--- error_like
msg_id

=== conv_exists
--- call
/im/creat/group
--- json
{"owner_id":"eve","name":"g","conv_id":"some"}
--- code
conv_exists
--- error_like
conv_id

=== not_group
--- call
/im/add/group/merber
--- json
{"conv_id":"{{pair}}","member":["eve"]}
--- code
not_group
--- error_like
conv_id

=== group_full: all or none
--- call
/im/add/group/merber
--- json
{"conv_id":"{{some}}","member":["eve","fay","gil"]}
--- code
group_full
--- error_like
member

=== group_full: at creation
--- call
/im/creat/group
--- json
{"owner_id":"ann","name":"g","member":["b","c","d","e"]}
--- code
group_full
--- error_like
member

=== idempotency_conflict
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","msg":"other","msg_type":0,"client_msg_id":"c1"}
--- code
idempotency_conflict
--- error_like
client_msg_id

=== body_too_large
--- call
/im/send/msg
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0,"x":"{{x 262144}}"}
--- code
body_too_large

=== after all of it, nothing is unread but what was sent
--- call
/im/unread
--- json
{"from_id":"bob"}
--- answer
{"total":1}
