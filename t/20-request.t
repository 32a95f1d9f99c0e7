# HTTP around the calls: methods, bodies in every shape, connections, aborts,
# and other modules of nginx in front of and beside the module.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep);
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 1,
    store => 'server unix:{{sock}}; timeout 2s;',
    conf_http => <<'CONF',
    limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
CONF
    conf_im => 'error_page 400 403 404 405 409 413 /replaced;',
    conf_server => <<'CONF',
        location /hasty/ {
            im_pass store;
            client_body_timeout 300ms;
        }
        location = /replaced { return 200 "replaced\n"; }
        location /file/ {
            im_pass store;
            client_body_in_file_only clean;
        }
        location /spill/ {
            im_pass store;
            client_body_buffer_size 64;
        }
        location /deny/ {
            im_pass store;
            deny all;
        }
        location /basic/ {
            im_pass store;
            auth_basic site;
            auth_basic_user_file {{dir}}/users;
        }
        location /limit/ {
            im_pass store;
            limit_req zone=slow;
            limit_req_status 429;
            error_page 429 @limited;
        }
        location @limited {
            default_type application/json;
            add_header Retry-After 1 always;
            return 429 '{"code":"too_many_requests","error":"slow down"}';
        }
        location /asked/ {
            im_pass store;
            auth_request /auth;
            auth_request_set $who $upstream_http_x_user;
            im_user $who;
        }
        location = /auth {
            internal;
            proxy_pass http://127.0.0.1:{{port}}/backend;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location = /backend {
            if ($http_x_token = "") { return 401; }
            add_header X-User $http_x_token;
            return 204;
        }
        location /copied/ {
            im_pass store;
            mirror /sink;
        }
        location = /sink {
            internal;
            proxy_pass http://127.0.0.1:{{port}}/site;
        }
        location = /taken {
            mirror /mirrored/send/msg;
            proxy_pass http://127.0.0.1:{{port}}/site;
        }
        location /mirrored/ {
            internal;
            im_pass store;
        }
        location = /gated {
            auth_request /im/unread;
            proxy_pass http://127.0.0.1:{{port}}/site;
        }
        rewrite ^/legacy/(.*)$ /im/$1 last;
CONF
);
$t->write_file('users', "ann:{PLAIN}secret\n");
$t->start;

my ($worker) = $t->worker_pids;
my $conv = $t->say(ann => 'bob', 'first')->conv_id;
my $group = $t->group('ann', ['bob']);
my $crlf = "\r\n";

sub json {
    return '{"from_id":"ann","to_id":"bob","msg":"' . $_[0] . '","msg_type":0}';
}

sub last_msg { $t->page($conv, page_size => 1)->[0]{msg} }

sub head {
    my ($path, @lines) = @_;
    return join $crlf, "POST $path HTTP/1.1", 'Host: localhost', @lines, '', '';
}

sub chunked {
    my $text = '';
    $text .= sprintf "%x$crlf%s$crlf", length, $_ for @_;
    return "${text}0$crlf$crlf";
}

sub is_refused {
    my ($r, $code, $name) = @_;
    subtest $name => sub {
        is($r->code, $code, "code $code") or diag($r->body);
        is($r->status, $STATUS{$code}, "status $STATUS{$code}");
        Test::IM::Blocks::refusal_ok($r);
    };
}


subtest 'methods' => sub {
    for my $m (qw(GET PUT DELETE PATCH OPTIONS)) {
        my $r = $t->post('/im/conv/list', '{"from_id":"ann"}', method => $m);
        is_refused($r, 'method_not_allowed', $m);
        is($r->header('Allow'), 'POST', "$m: Allow");
    }
    my $c = $t->connect;
    $c->send("HEAD /im/conv/list HTTP/1.1${crlf}Host: x$crlf$crlf");
    my $r = $c->read_response(head => 1);
    is($r->status, 405, 'HEAD');
    is($r->header('Allow'), 'POST', 'HEAD: Allow');
    ok(!$c->readable(0.1), 'HEAD: no body');
};

subtest 'calls that do not exist' => sub {
    is_refused($t->post($_, '{"from_id":"ann"}'), 'not_found', $_)
        for qw(/im/ /im/nosuch /im/conv /im/send /im/send/msg/ /im/send/msgs
               /im/conv/list/ /im/conv/a/b /im/conv/a/read/ /im/group
               /im/group/a /im/group/a/nosuch /im/group/a/list/x /im/unread/x
               /im/CONV/LIST /im/user /im/user/set/x);
};

subtest 'paths' => sub {
    my $r = $t->post('/im/conv/list?a=b', '{"from_id":"ann"}');
    is($r->status, 200, 'arguments are not looked at');
    is($t->post('/im/%63onv/list', '{"from_id":"ann"}')->status, 200,
       'escaped path');
    is($t->post('/im//conv//list', '{"from_id":"ann"}')->status, 200,
       'slashes that nginx merges');
    is($t->post('/legacy/conv/list', '{"from_id":"ann"}')->status, 200,
       'rewrite to a call');
    my $id = $t->group(ann => ['bob'], conv_id => 'a@b:c.d-e_f');
    is($t->post('/im/group/a%40b%3Ac.d-e_f/list', '{}')->status, 200,
       'escaped id in the path');
};

subtest 'empty body is {}' => sub {
    for my $raw (head("/im/group/$group/list", 'Content-Length: 0'),
                 head("/im/group/$group/list"),
                 head("/im/group/$group/list", 'Transfer-Encoding: chunked')
                     . "0$crlf$crlf") {
        my $r = $t->request($raw);
        is($r->status, 200, 'group list') or diag($r->body);
        is(scalar @{ $r->json }, 2, 'two members');
    }
    is_refused($t->post('/im/send/msg', ''), 'bad_request', 'send of nothing');
};

subtest 'content types' => sub {
    for my $type ('application/json', 'application/json; charset=utf-8',
                  'text/plain', 'application/x-www-form-urlencoded',
                  'multipart/form-data; boundary=x', '') {
        my $r = $t->post('/im/send/msg', json("as $type"),
                         headers => ["Content-Type: $type"]);
        is($r->body, '{}', "sent as '$type'");
        is($r->header('Content-Type') =~ s/;.*//r, 'application/json',
           'answered as JSON');
        is(last_msg(), "as $type", 'stored');
    }
};

subtest 'chunked' => sub {
    my $text = json('in chunks');
    for my $size (1, 7, 1000) {
        my $r = $t->request(head('/im/send/msg', 'Transfer-Encoding: chunked',
            'Connection: close') . chunked(unpack "(a$size)*", $text));
        is($r->body, '{}', "chunks of $size");
        is(last_msg(), 'in chunks', 'stored');
    }
    my $r = $t->request(head('/im/send/msg', 'Transfer-Encoding: chunked',
        'Connection: close') . "zz$crlf");
    is($r->status, 400, 'not a chunk');
};

subtest 'torn into single bytes' => sub {
    for ([ 'Content-Length: ' . length json('torn'), json('torn') ],
         [ 'Transfer-Encoding: chunked', chunked(json('torn')) ]) {
        my ($header, $body) = @$_;
        my $c = $t->connect;
        for my $byte (split //, head('/im/send/msg', $header) . $body) {
            $c->send($byte);
            sleep 0.0005;
        }
        is($c->read_response->body, '{}', $header);
        is(last_msg(), 'torn', 'stored');
    }
};

subtest 'pipelined' => sub {
    my $c = $t->connect;
    my $all = '';
    for my $n (1 .. 30) {
        my $body = json("pipelined $n");
        $all .= head('/im/send/msg', 'Content-Length: ' . length $body) . $body;
        $body = '{"page_size":1}';
        $all .= head("/im/conv/$conv", 'Content-Length: ' . length $body)
              . $body;
    }
    $c->send($all);
    my @got;
    for (1 .. 30) {
        is($c->read_response->body, '{}', 'send') or return;
        push @got, $c->read_response->json->[0]{msg};
    }
    is_deeply(\@got, [ map { "pipelined $_" } 1 .. 30 ],
              'answers in the order of the requests');

    my $list = '{"from_id":"ann"}';
    $c = $t->connect;
    $c->send(join '', map {
        head('/im/send/msg', 'Transfer-Encoding: chunked')
            . chunked(unpack '(a9)*', json("chunked $_"))
        . head('/im/nosuch', 'Content-Length: 5000') . 'x' x 5000
        . head('/im/conv/list', "Content-Length: 17") . $list } 1 .. 5);
    for my $n (1 .. 5) {
        is($c->read_response->body, '{}', 'chunked');
        is($c->read_response->status, 404, 'with a body nobody reads');
        is($c->read_response->json->[0]{last_msg}, "chunked $n", 'in order');
    }
};

subtest 'keepalive' => sub {
    my $c = $t->connect;
    for my $n (1 .. 50) {
        my $r = $t->post('/im/send/msg', json("kept $n"), conn => $c);
        is($r->body, '{}', "request $n") or return;
    }
    for (['/im/send/msg', '{'], ['/im/nosuch', '{}'], ['/im/conv/x', '{}'],
         ['/im/conv/list', '{}', method => 'PUT']) {
        my ($path, $body, @more) = @$_;
        my $r = $t->post($path, $body, conn => $c, @more);
        ok($r->status >= 400 && !$r->closed, "kept after " . $r->status);
    }
    is($t->post('/im/unread', '{"from_id":"ann"}', conn => $c)->status, 200,
       'and used');
    my $r = $t->post('/im/unread', '{"from_id":"ann"}', conn => $c,
                     headers => ['Connection: close']);
    ok($r->closed, 'Connection: close');
    is($c->read_response, undef, 'closed');

    $r = eval { $t->request("POST /im/unread HTTP/1.0${crlf}"
        . "Content-Length: 17$crlf$crlf" . '{"from_id":"ann"}') };
    is($r->status, 200, 'HTTP/1.0');
};

subtest 'body in a file' => sub {
    for my $path (qw(/file /spill)) {
        is($t->post("$path/send/msg", json('from a file'))->body, '{}', $path);
        is(last_msg(), 'from a file', 'stored');
        my $long = 'x' x 30000;
        is($t->post("$path/send/msg", json($long))->body, '{}', '30000 bytes');
        ok(last_msg() eq $long, 'stored');
        my $r = $t->request(head("$path/send/msg", 'Connection: close',
            'Transfer-Encoding: chunked')
            . chunked(unpack '(a999)*', json($long . 'y')));
        is($r->body, '{}', 'chunked');
        ok(last_msg() eq $long . 'y', 'stored');
        is_refused($t->post("$path/send/msg", '{'), 'bad_json', 'bad JSON');
        is_refused($t->post("$path/send/msg", '{}' . ' ' x 270000),
                   'body_too_large', 'too large');
        is($t->post("$path/group/$group/list", '')->status, 200, 'empty');
    }
};

subtest 'size of the body' => sub {
    my $fit = '{"from_id":"ann"}';
    $fit .= ' ' x (262144 - length $fit);

    is($t->post('/im/unread', $fit)->status, 200, '256k');
    is_refused($t->post('/im/unread', "$fit "), 'body_too_large', '256k + 1');

    my @chunked = (head('/im/unread', 'Transfer-Encoding: chunked'));
    is($t->request($chunked[0] . chunked(unpack '(a4000)*', $fit))->status,
       200, '256k chunked');
    is_refused($t->request($chunked[0] . chunked(unpack '(a4000)*', "$fit ")),
               'body_too_large', '256k + 1 chunked');

    my $c = $t->connect;
    $c->send(head('/im/unread', 'Content-Length: 500000'));
    is_refused($c->read_response, 'body_too_large',
               'refused on Content-Length, nothing of it sent');

    $c = $t->connect;
    $c->send($chunked[0] . chunked(unpack '(a4000)*', $fit x 3)
             . head('/im/unread', 'Content-Length: 17') . '{"from_id":"ann"}');
    is($c->read_response->status, 413, 'chunked, another request behind it');
    my $next = eval { $c->read_response };
    ok(!$next || $next->status == 200, 'which is answered, or cut off');

    my $before = $t->snapshot;
    my $big = json('x' x 270000);
    is_refused($t->post('/im/send/msg', $big), 'body_too_large', 'a send');
    is_deeply($t->snapshot, $before, 'stored nothing');
    is($t->post('/im/unread', '{}' . ' ' x 3_000_000)->status, 413,
       'beyond client_max_body_size as well');
    ok(1 == grep({ $_ == $worker } $t->worker_pids), 'worker lives');
};

subtest 'Expect: 100-continue' => sub {
    my $c = $t->connect;
    my $body = json('expected');
    $c->send(head('/im/send/msg', 'Expect: 100-continue',
                  'Content-Length: ' . length $body));
    ok($c->readable(5), 'told to go on');
    $c->send($body);
    my $r = $c->read_response;
    ok($r->continued, '100 came first');
    is($r->body, '{}', 'sent');
    is(last_msg(), 'expected', 'stored');

    $c = $t->connect;
    $c->send(head('/im/send/msg', 'Expect: 100-continue',
                  'Content-Length: 300000'));
    $r = $c->read_response;
    is_refused($r, 'body_too_large', 'too large');
    ok(!$r->continued, 'refused without asking for the body');
};

subtest 'HTTP/2' => sub {
    my $r = $t->h2('/im/send/msg', json('over h2'));
    is($r->status, 200, 'with content-length') or diag($r->body);
    is($r->body, '{}', 'body');
    is($r->conv_id, $conv, 'headers');
    is(last_msg(), 'over h2', 'stored');

    $r = $t->h2('/im/send/msg', json('no length'), length => 0);
    is($r->body, '{}', 'without content-length');
    is(last_msg(), 'no length', 'stored');

    $r = $t->h2("/im/group/$group/list");
    is($r->status, 200, 'no body is {}');

    SKIP: {
        # curl shows no answer that comes while it is still sending
        skip 'no nghttp (package nghttp2-client)', 1
            if system('nghttp --version >/dev/null 2>&1');
        my $big = $t->write_file('big', '{}' . ' ' x 270000);
        for my $how ([], ['--no-content-length']) {
            my $out = $t->run('nghttp', '-v', @$how, '-d', $big,
                'http://127.0.0.1:' . $t->h2_port . '/im/unread');
            like($out, qr/:status: 413.*"code":"body_too_large"/s,
                 "too large @$how");
        }
    }

    for my $length (0, 1) {
        my $long = 'z' x 30000;
        is($t->h2('/spill/send/msg', json($long), length => $length)->body,
           '{}', "in a file, length $length");
        ok(last_msg() eq $long, 'stored');
    }
    is_refused($t->h2('/im/send/msg', '{'), 'bad_json', 'bad JSON');
    is_refused($t->h2('/im/nosuch'), 'not_found', 'no such call');
    is($t->h2('/im/conv/list', undef, method => 'GET')->status, 405, 'GET');
};

subtest 'clients that go away' => sub {
    my $text = json('gone');
    my $whole = head('/im/send/msg', 'Content-Length: ' . length $text) . $text;
    for my $cut (1, 20, index($whole, '{'), length($whole) - 1) {
        for my $how (qw(close reset)) {
            my $c = $t->connect;
            $c->send(substr $whole, 0, $cut);
            sleep 0.005;
            $c->$how;
        }
    }
    for my $how (qw(close reset)) {
        my $c = $t->connect;
        $c->send(head('/spill/send/msg', 'Transfer-Encoding: chunked')
                 . "1000$crlf" . 'x' x 300);
        sleep 0.005;
        $c->$how;
    }
    isnt(last_msg(), 'gone', 'half a body sends nothing');

    # while the store is asked
    $t->signal_redis('STOP');
    my $list = '{"from_id":"ann"}';
    for my $how (qw(close reset)) {
        for my $req ($whole, head('/im/conv/list',
                     'Content-Length: ' . length $list) . $list) {
            my $c = $t->connect;
            $c->send($req);
            sleep 0.02;
            $c->$how;
        }
    }
    my @curl = ('curl', '-s', '--http2-prior-knowledge', '-m', '0.2',
                '-d', $list);
    $t->run(@curl, '127.0.0.1:' . $t->h2_port . '/im/conv/list') for 1 .. 2;
    is($t->get('/site')->body, "site\n", 'the site is served meanwhile');
    $t->signal_redis('CONT');
    ok($t->poll(5, sub { $t->post('/im/unread', $list)->status == 200 }),
       'served when the store is back');
    $t->say(ann => 'bob', 'after');
    is(last_msg(), 'after', 'stored');
    is_deeply([ $t->worker_pids ], [ $worker ], 'the same worker');
};

subtest 'clients that stop in the middle' => sub {
    for my $req (head('/hasty/send/msg', 'Content-Length: 100') . '{"from_id"',
                 head('/hasty/send/msg', 'Transfer-Encoding: chunked')
                     . "a$crlf\{\"from_id\"") {
        my $c = $t->connect;
        $c->send($req);
        my $r = eval { $c->read_response };
        ok(!$@, 'not waited for longer than client_body_timeout') or diag($@);
        is($r->status, 408, 'nor taken as whole') if $r;
    }
};

subtest 'error_page leaves our answers alone' => sub {
    is_refused($t->post('/im/conv/nosuch', '{}'), 'conv_not_found',
               'status 404');
    is_refused($t->post('/im/send/msg', '{'), 'bad_json', 'status 400');
    is_refused($t->get('/im/conv/list'), 'method_not_allowed', 'status 405');
};

subtest 'access' => sub {
    my $before = $t->snapshot;
    is($t->post('/deny/send/msg', json('denied'))->status, 403, 'deny');
    is($t->post('/basic/send/msg', json('who'))->status, 401, 'auth_basic');
    is_deeply($t->snapshot, $before, 'stored nothing');
    is($t->post('/basic/send/msg', json('basic'), headers =>
                ['Authorization: Basic YW5uOnNlY3JldA=='])->body, '{}',
       'with a password');
    is(last_msg(), 'basic', 'stored');
};

subtest 'limit_req' => sub {
    is($t->post('/limit/send/msg', json('limit'))->status, 200, 'first');
    my $before = $t->snapshot;
    my $r = $t->post('/limit/send/msg', json('limited'));
    is($r->status, 429, 'second');
    is($r->code, 'too_many_requests', 'answered by error_page');
    is_deeply($t->snapshot, $before, 'stored nothing');
};

subtest 'auth_request' => sub {
    is($t->post('/asked/send/msg', json('asked'))->status, 401, 'refused');
    my $r = $t->post('/asked/send/msg', json('asked'),
                     headers => ['X-Token: ann']);
    is($r->body, '{}', 'let through') or diag($r->body);
    is(last_msg(), 'asked', 'stored');
    is_refused($t->post('/asked/send/msg', json('asked'),
        headers => ['X-Token: bob']), 'forbidden', 'auth_request_set, im_user');
    $r = $t->post('/asked/send/msg', json('y' x 30000),
                  headers => ['X-Token: ann']);
    is($r->body, '{}', 'with a long body');
    is($t->post('/gated', json('x'))->status, 500,
       'a call as the subrequest (a GET) is no answer to auth_request');
};

subtest 'mirror' => sub {
    is($t->post('/copied/send/msg', json('copied'))->body, '{}',
       'a call that is mirrored');
    is(last_msg(), 'copied', 'stored');
    my $long = 'x' x 30000;
    is($t->post('/copied/send/msg', json($long))->body, '{}', 'a long one');
    ok(last_msg() eq $long, 'stored');

    my $r = $t->post('/taken', json('a copy'));
    is($r->body, "site\n", 'a request of the site, mirrored to a call');
    ok($t->poll(5, sub { last_msg() eq 'a copy' }), 'stored');
    $long = 'y' x 30000;
    is($t->post('/taken', json($long))->body, "site\n", 'a long one');
    ok($t->poll(5, sub { last_msg() eq $long }), 'stored');
    is($t->post('/taken', '{')->body, "site\n", 'mirrored and refused');
    is($t->post('/taken', '')->body, "site\n", 'mirrored without a body');
    is($t->get('/taken')->body, "site\n", 'mirrored GET');
};

subtest 'error_log debug' => sub {
    my $binary = $t->binary;
    plan skip_all => 'nginx without --with-debug'
        if `$binary -V 2>&1` !~ /--with-debug/;

    local $ENV{IM_DEBUG} = 1;
    my $d = Test::IM->new(workers => 1)->start;
    my ($pid) = $d->worker_pids;

    my $text = 'a text that no log has';
    $d->say(qw(ann bob), $text, client_msg_id => 'once');
    $d->say(qw(ann bob), $text, client_msg_id => 'once');
    $d->profile('ann', name => $text);
    my $group = $d->group('ann', ['bob']);
    $d->add($group, 'eve');
    $d->say_in('eve', $group, $text);
    $d->members($group);
    for my $path ('conv/list', 'unread', 'from/to', 'user/get', "conv/$group",
                  'conv/none/read', "group/$group/set", "group/$group/leave")
    {
        ok($d->post("/im/$path", { from_id => 'ann', to_id => 'bob',
            ids => ['ann'], page_no => 1, page_size => 9, name => $text }),
           $path);
    }
    is_deeply([ $d->worker_pids ], [ $pid ], 'no worker has died');

    my $log = $d->error_log;
    like($log, qr/\[debug\].* im send stored conv:"\w+" seq:1 job:/, 'a step');
    unlike($log, qr/\Q$text/, 'no text of a message or a profile');
    $d->done;
};

is_deeply([ $t->worker_pids ], [ $worker ], 'no worker has died');
$t->done;
done_testing;
