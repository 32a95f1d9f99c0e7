# im_user: a caller acts in no name but its own, and reads where it belongs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_http => 'map $http_x_user $backend { "" on; }',
    conf_im => 'im_user $http_x_user; im_trusted $backend;',
    conf_server => <<'CONF',
        location /trusted/ { im_pass store; }
        location /basic/ {
            im_pass store;
            auth_basic site;
            auth_basic_user_file {{dir}}/users;
            im_user $remote_user;
        }
        location /fixed/ { im_pass store; im_user ann; }
        location /strict/ { im_pass store; im_user $http_x_user; }
CONF
);
$t->write_file('users', "ann:{PLAIN}secret\n");
$t->start;

my $vars = {
    ab => $t->say(ann => 'bob', 'one')->conv_id,
    bc => $t->say(bob => 'cid', 'two')->conv_id,
    g  => $t->group(ann => ['bob']),
};
$t->say_in(ann => $vars->{g}, 'in the group');
$vars->{id} = $t->page($vars->{bc})->[0]{msg_id};

run_blocks($t, undef, $vars);


# --- the viewer is im_user

my @as_bob = (headers => ['X-User: bob']);
is($t->unread_in(bob => $vars->{g}), 1, 'one unread');
$t->call("/im/conv/$vars->{g}", {});
is($t->unread_in(bob => $vars->{g}), 1, 'a backend reads nothing');
$t->call("/im/conv/$vars->{g}", { page_no => 2, page_size => 1 }, @as_bob);
is($t->unread_in(bob => $vars->{g}), 1, 'page 2 reads nothing');
$t->call("/im/conv/$vars->{g}", {}, @as_bob);
is($t->unread_in(bob => $vars->{g}), 0, 'page 1 reads for im_user');


# --- other values

my %msg = (from_id => 'ann', to_id => 'bob', msg => 'x', msg_type => 0);
my @auth = (headers => ['Authorization: Basic YW5uOnNlY3JldA==']);
is($t->post('/basic/send/msg', \%msg, @auth)->status, 200, '$remote_user');
is($t->post('/basic/send/msg', { %msg, from_id => 'bob', to_id => 'ann' },
            @auth)->code, 'forbidden', 'another than $remote_user');
is($t->post('/fixed/send/msg', \%msg)->status, 200, 'a fixed value');
is($t->post('/fixed/unread', { from_id => 'bob' })->code, 'forbidden',
   'another than the fixed value');
is($t->post('/trusted/send/msg', { %msg, from_id => 'bob', to_id => 'ann' },
            headers => ['X-User: ann'])->status, 200, 'where it is not set');

$t->done;
done_testing;

__DATA__
=== empty: nobody
--- call
/strict/send/msg
--- request_header
X-User:
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- code
forbidden
--- error_like
im_user

=== empty: nobody reads, either
--- call
/strict/conv/{{g}}
--- json
{}
--- code
forbidden
--- error_like
im_user

=== empty: nor sees profiles
--- call
/strict/user/get
--- json
{"ids":["ann"]}
--- code
forbidden

=== empty, but 400 comes first
--- call
/strict/send/msg
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":9}
--- code
bad_request

=== empty: a trusted backend by im_trusted
--- call
/im/send/msg
--- request_header
X-User:
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- answer
{}

=== send: own name
--- call
/im/send/msg
--- request_header
X-User: ann
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- answer
{}

=== send: another's name
--- call
/im/send/msg
--- request_header
X-User: bob
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- code
forbidden
--- error_like
from_id

=== send: names differ in case
--- call
/im/send/msg
--- request_header
X-User: Ann
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- code
forbidden

=== send: a name that begins like another
--- call
/im/send/msg
--- request_header
X-User: an
--- json
{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}
--- code
forbidden

=== send: own name, not a member
--- call
/im/send/msg
--- request_header
X-User: cid
--- json
{"from_id":"cid","conv_id":"{{ab}}","msg":"x","msg_type":0}
--- code
conv_not_found
--- error_like
conv_id

=== list: own
--- call
/im/conv/list
--- request_header
X-User: cid
--- json
{"from_id":"cid"}
--- like
"conv_id":"{{bc}}"

=== list: another's
--- call
/im/conv/list
--- request_header
X-User: cid
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== unread: own
--- call
/im/unread
--- request_header
X-User: cid
--- json
{"from_id":"cid"}
--- answer
{"total":1}

=== unread: another's
--- call
/im/unread
--- request_header
X-User: cid
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== page: a member
--- call
/im/conv/{{ab}}
--- request_header
X-User: bob
--- json
{}
--- like
"msg":"one"

=== page: not a member
--- call
/im/conv/{{ab}}
--- request_header
X-User: cid
--- json
{}
--- code
conv_not_found

=== page: not a member of the group
--- call
/im/conv/{{g}}
--- request_header
X-User: cid
--- json
{"page_no":2}
--- code
not_member

=== page: in another's name
--- call
/im/conv/{{ab}}
--- request_header
X-User: cid
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== page: in the own name
--- call
/im/conv/{{ab}}
--- request_header
X-User: ann
--- json
{"from_id":"ann"}
--- like
"msg":"one"

=== page: unknown conversation
--- call
/im/conv/nosuch
--- request_header
X-User: cid
--- json
{}
--- code
conv_not_found

=== from/to: own
--- call
/im/from/to
--- request_header
X-User: bob
--- json
{"from_id":"bob","to_id":"ann"}
--- like
"msg":"one"

=== from/to: another's
--- call
/im/from/to
--- request_header
X-User: cid
--- json
{"from_id":"bob","to_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== from/to: own, but as to_id
--- call
/im/from/to
--- request_header
X-User: ann
--- json
{"from_id":"bob","to_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== read: own
--- call
/im/conv/{{bc}}/read
--- request_header
X-User: cid
--- json
{"from_id":"cid","msg_id":"{{id}}"}
--- answer
{}

=== read: another's
--- call
/im/conv/{{ab}}/read
--- request_header
X-User: bob
--- json
{"from_id":"ann"}
--- code
forbidden
--- error_like
from_id

=== read: not a member
--- call
/im/conv/{{ab}}/read
--- request_header
X-User: cid
--- json
{"from_id":"cid"}
--- code
conv_not_found

=== a group of one's own
--- call
/im/creat/group
--- request_header
X-User: cid
--- json
{"owner_id":"cid","name":"g","member":["ann"]}
--- answer
{}

=== a group in another's name
--- call
/im/creat/group
--- request_header
X-User: cid
--- json
{"owner_id":"ann","name":"g","member":["cid"]}
--- code
forbidden
--- error_like
owner_id

=== adding by a stranger
--- call
/im/add/group/merber
--- request_header
X-User: cid
--- json
{"conv_id":"{{g}}","member":["cid"]}
--- code
not_member

=== the members, for a stranger
--- call
/im/group/{{g}}/list
--- request_header
X-User: cid
--- json
{}
--- code
not_member

=== the members, for a member
--- call
/im/group/{{g}}/list
--- request_header
X-User: bob
--- json
{}
--- answer
[{"id":"ann","name":"","alias":""},{"id":"bob","name":"","alias":""}]

=== adding by a member
--- call
/im/add/group/merber
--- request_header
X-User: bob
--- json
{"conv_id":"{{g}}","member":["dan"]}
--- answer
{}

=== the own profile
--- call
/im/user/set
--- request_header
X-User: ann
--- json
{"users":[{"id":"ann","name":"Ann"}]}
--- answer
{}

=== another's profile
--- call
/im/user/set
--- request_header
X-User: ann
--- json
{"users":[{"id":"bob","name":"Bobby"}]}
--- code
forbidden
--- error_like
\bid\b|users

=== another's profile after the own
--- call
/im/user/set
--- request_header
X-User: ann
--- json
{"users":[{"id":"ann","name":"Anna"},{"id":"bob","name":"Bobby"}]}
--- code
forbidden

=== profiles are for all to see
--- call
/im/user/get
--- request_header
X-User: cid
--- json
{"ids":["ann"]}
--- answer
[{"id":"ann","name":"Ann","img":""}]
