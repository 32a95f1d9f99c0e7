# Variables: known in the headers of the answer, kept over internal
# redirects, and never what is not an id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    log_format => 'log=$im_call|$im_code|$im_from_id|$im_conv_id'
                  . '|$status|$request_uri',
    conf_http => <<'CONF',
    limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
    limit_conn_zone $binary_remote_addr zone=none:1m;
    map $uri $refuse { default 1; }
CONF
    conf_server => <<'CONF',
        add_header X-Call $im_call always;
        add_header X-Code $im_code always;
        add_header X-From $im_from_id always;
        add_header X-Conv $im_conv_id always;
        location /limited/ {
            im_pass store;
            limit_req zone=slow;
            limit_req_status 429;
            error_page 429 = @named;
        }
        location /denied/ {
            im_pass store;
            deny all;
            error_page 403 = @named;
        }
        location /basic/ {
            im_pass store;
            auth_basic site;
            auth_basic_user_file {{dir}}/users;
            error_page 401 /page;
        }
        location /twice/ {
            recursive_error_pages on;
            im_pass store;
            deny all;
            error_page 403 = /again;
        }
        location = /again { recursive_error_pages on; error_page 418 = @named; return 418; }
        location @named { return 429 "named\n"; }
        location = /page { return 200 "page\n"; }
        location /other/ {
            im_pass store;
            deny all;
            error_page 403 = /im/unread;
        }
CONF
)->start;
$t->write_file('users', "ann:{PLAIN}secret\n");

my $conv = $t->say(ann => 'bob', 'first')->conv_id;

sub headers_are {
    my ($r, $want, $name) = @_;
    is(join('|', map { $r->header("X-$_") // '' } qw(Call Code From Conv)),
       $want, $name);
}

sub logged {
    my ($want, $name) = @_;
    ok($t->poll(5, sub { $t->access_log =~ /^log=\Q$want\E$/m }), $name)
        or diag($t->access_log =~ s/^.*\n(?=(?:.*\n){8})//sr);
}


# --- in headers of the answer

headers_are($t->post('/im/send/msg', body(ann => 'bob', 'x')),
            "send|ok|ann|$conv", 'a send');
headers_are($t->post("/im/conv/$conv", '{}'), "conv_page|ok||$conv", 'a page');
headers_are($t->post('/im/conv/list', { from_id => 'ann' }),
            'conv_list|ok|ann|', 'a list');
headers_are($t->post('/im/conv/nosuch', '{}'),
            'conv_page|conv_not_found||nosuch', 'refused by the store');
headers_are($t->post('/im/unread', '{'), 'unread|bad_json||',
            'refused by the body');
headers_are($t->post('/im/unread', 'x' x 600_000), 'unread|body_too_large||',
            'refused by its length');
headers_are($t->post('/im/nosuch', '{}'), '|not_found||', 'no call');
headers_are($t->h2('/im/send/msg', body(ann => 'bob', 'x')),
            "send|ok|ann|$conv", 'over HTTP/2');


# --- after internal redirects

my @cases = (
    [ "/denied/conv/$conv", "conv_page|-|-|$conv|429", 'named location' ],
    [ '/basic/conv/list', 'conv_list|-|-|-|401', 'error_page with a URI' ],
    [ '/twice/unread', 'unread|-|-|-|429', 'two redirects' ],
    [ '/other/conv/list', 'unread|method_not_allowed|-|-|405',
      'to another call, as GET' ],
);
for (@cases) {
    my ($path, $want, $name) = @$_;
    $t->post($path, { from_id => 'cid' }) for 1 .. 2;
    logged("$want|$path", $name);
}

$t->post('/limited/send/msg', body(ann => 'bob', 'x'));
my $r = $t->post('/limited/send/msg', body(ann => 'bob', 'x'));
is($r->body, "named\n", 'limited');
is($r->header('X-Call'), 'send', '$im_call in the page of another location');
logged('send|-|-|-|429|/limited/send/msg', 'and in the log');

logged("send|ok|ann|$conv|200|/limited/send/msg", 'not limited');
$t->get('/site');
logged('-|-|-|-|200|/site', 'none for the site');


# --- only what is valid

for my $id ("a%0d%0aX-Evil:%201", 'a%0aX-Evil:1', 'a%20b', 'a%22b', 'a%00b',
            'a%7fb', '%e4%bd%a0', 'x' x 65) {
    for my $path ("/im/conv/$id", "/im/conv/$id/read", "/im/group/$id/list",
                  "/denied/conv/$id") {
        for my $r ($t->post($path, '{"from_id":"ann"}'), $t->get($path)) {
            ok(!defined $r->header('X-Evil'), "$path: no header of the client");
            is($r->header('X-Conv'), undef, 'no id');
        }
    }
}
$r = $t->post('/im/conv/list', { from_id => "a\r\nX-Evil: 1" });
is($r->code, 'bad_request', 'CR LF in a body');
ok(!defined $r->header('X-Evil') && !defined $r->header('X-From'), 'no id');
is($t->post('/im/conv/nosuch', '{}')->header('X-Conv'), 'nosuch', 'an id is');

$t->done;
done_testing;
