# Refusals before or while a body is received: the same over every version of
# HTTP, and the connection goes on where it says so.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time sleep);
use Test::More;
use Test::IM;
use Test::IM::H2;

my $t = Test::IM->new(
    conf_server => <<'CONF',
        location /explicit/ {
            im_pass store;
            client_max_body_size 1k;
        }
        location /endless/ { im_pass store; client_max_body_size 0; }
        location /small/ {
            im_pass store;
            im_max_body_size 2k;
            im_max_message_size 1k;
        }
        location /copied/ {
            im_pass store;
            client_max_body_size 1m;
            mirror /sink;
        }
        location = /sink {
            internal;
            proxy_pass http://127.0.0.1:{{port}}/site;
        }
        location /asked/ {
            im_pass store;
            auth_request /auth;
        }
        location = /auth {
            internal;
            client_max_body_size 10m;
            return 204;
        }
        location /hasty/ { im_pass store; client_body_timeout 300ms; }
CONF
)->start;

my $crlf = "\r\n";
my $too_large = $t->post('/im/unread', ' ' x 262145)->body;

sub head {
    my ($path, @lines) = @_;
    return join $crlf, "POST $path HTTP/1.1", 'Host: localhost', @lines, '', '';
}

sub chunked {
    my ($bytes, $size) = @_;
    return join '', map({ sprintf "%x$crlf%s$crlf", length, $_ }
                        unpack "(a$size)*", $bytes), "0$crlf$crlf";
}

# status and body by each way of sending the same
sub answers {
    my ($path, $body) = @_;
    my $len = 'Content-Length: ' . length $body;
    my $c = $t->connect;
    my %r = (
        '1.1' => $t->post($path, $body, close => 1),
        chunked => $t->request(head($path, 'Transfer-Encoding: chunked')
                               . chunked($body, 4000)),
        'one chunk' => $t->request(head($path, 'Transfer-Encoding: chunked')
                               . chunked($body, length($body) || 1)),
        '2' => $t->h2($path, $body),
        '2, no length' => $t->h2($path, $body, length => 0),
    );
    $c->send("POST $path HTTP/1.0$crlf$len$crlf$crlf$body");
    $r{'1.0'} = $c->read_response;
    return map { $_ => $r{$_}->status . ' ' . $r{$_}->body } keys %r;
}


# --- the same answer over every version

for my $case ([ '/im/unread', 262_145, 413 ], [ '/im/unread', 300_000, 413 ],
              [ '/im/unread', 3_000_000, 413 ],
              [ '/im/nosuch', 3_000_000, 404 ], [ '/im/nosuch', 300_000, 404 ],
              [ '/im/nosuch', 10, 404 ], [ '/explicit/unread', 1025, 413 ],
              [ '/explicit/unread', 300_000, 413 ],
              [ '/small/unread', 2049, 413 ], [ '/endless/unread', 270_000, 413 ],
              [ '/asked/unread', 2_000_000, 413 ],
              [ '/asked/unread', 10, 400 ]) {
    my ($path, $size, $status) = @$case;
    subtest "$path, $size bytes: $status" => sub {
        my %got = answers($path, 'x' x $size);
        for (sort keys %got) {
            is($got{$_}, $got{'1.1'}, "HTTP $_");
            like($got{$_}, qr/^$status \{"code":"/, 'status and JSON');
        }
    };
}

for my $size (1024, 2048) {
    my $path = $size == 1024 ? '/explicit' : '/small';
    my %got = answers("$path/unread",
                      '{"from_id":"ann"}' . ' ' x ($size - 17));
    is_deeply([ grep { $_ ne '200 {"total":0}' } values %got ], [],
              "$path: $size bytes are taken");
}

subtest 'curl shows it, however large' => sub {
    for my $size (262_145, 1_000_000, 9_000_000) {
        for my $length (1, 0) {
            my $r = $t->h2('/im/unread', 'x' x $size, length => $length);
            is($r->status, 413, "$size bytes, length $length");
            is($r->body, $too_large, 'body');
        }
    }
};

SKIP: {
    skip 'no nghttp (package nghttp2-client)', 1
        if system('nghttp --version >/dev/null 2>&1');
    for my $size (270_000, 9_000_000) {
        my $big = $t->write_file('big', ' ' x $size);
        for my $how ([], ['--no-content-length']) {
            my $out = $t->run('nghttp', '-v', @$how, '-d', $big,
                'http://127.0.0.1:' . $t->h2_port . '/im/unread');
            like($out, qr/:status: 413.*"code":"body_too_large"/s,
                 "nghttp, $size bytes @$how");
        }
    }
}

subtest 'other streams of the connection go on' => sub {
    my $h2 = Test::IM::H2->new($t->connect($t->h2_port));
    my $big = $h2->request('/im/unread',
                           headers => [ 'content-length: 300000' ]);
    $h2->data($big, 'x' x 20000);
    my $other = $h2->post('/im/unread', '{"from_id":"ann"}');
    is($h2->answer($other, 3), '{"total":0}', 'another while it is received');
    $h2->data($big, 'x' x 20000) for 1 .. 2;
    is($h2->answer($h2->post('/im/unread', '{"from_id":"ann"}'), 3),
       '{"total":0}', 'and another');
};

subtest 'HTTP/2, a body that stops' => sub {
    my $h2 = Test::IM::H2->new($t->connect($t->h2_port));
    my $start = time;
    my $stream = $h2->request('/im/unread',
                              headers => [ 'content-length: 300000' ]);
    $h2->data($stream, 'x' x 1000);
    is($h2->answer($stream, 15 * $Test::IM::SCALE), $too_large,
       'is answered nevertheless');
    cmp_ok(time - $start, '<', 9 * $Test::IM::SCALE, 'soon');

    $start = time;
    $stream = $h2->request('/hasty/nosuch',
                           headers => [ 'content-length: 1000' ]);
    like($h2->answer($stream, 15 * $Test::IM::SCALE), qr/"not_found"/,
         'at client_body_timeout if that is shorter');
    cmp_ok(time - $start, '<', 4 * $Test::IM::SCALE, 'sooner');

    $stream = $h2->request('/im/nosuch', headers => [ 'content-length: 9' ]);
    $h2->frame(3, 0, $stream, pack 'N', 8);
    is($h2->answer($h2->post('/im/unread', '{"from_id":"ann"}'), 3),
       '{"total":0}', 'a reset in the middle harms nobody');
};


# --- connections

subtest 'chunked and too large closes, and says so' => sub {
    for my $size (400_000, 500_000) {
        my $c = $t->connect;
        $c->send(head('/im/unread', 'Transfer-Encoding: chunked')
                 . substr chunked('x' x $size, 4000), 0, 300_000);
        my $r = $c->read_response;
        is($r->status, 413, "$size bytes");
        is($r->header('Connection'), 'close', 'Connection: close');
        is(eval { $c->read_response } // 'end', 'end', 'closed');
    }
};

subtest 'with a length it is kept while that is short' => sub {
    for my $size (262_145, 2_000_000) {
        my $c = $t->connect;
        $c->send(head('/im/unread', "Content-Length: $size"));
        my $r = $c->read_response;
        is($r->body, $too_large, "refused before any of $size bytes");
        ok(!$r->closed, 'kept');
        $c->send('x' x $size);
        is($t->post('/im/unread', '{"from_id":"ann"}', conn => $c)->body,
           '{"total":0}', 'and used');
    }
    my $c = $t->connect;
    $c->send(head('/im/unread', 'Content-Length: 20000000000'));
    is($c->read_response->header('Connection'), 'close', 'but not for 20 GB');
};

subtest 'Expect: 100-continue, refused' => sub {
    for my $case ([ '/im/unread', 300_000, 413 ], [ '/im/nosuch', 17, 404 ],
                  [ '/im/nosuch', 100_000, 404 ],
                  [ '/explicit/unread', 1025, 413 ]) {
        my ($path, $size, $status) = @$case;
        my $c = $t->connect;
        $c->send(head($path, 'Expect: 100-continue',
                      "Content-Length: $size"));
        my $r = $c->read_response;
        is($r->status, $status, "$path, $size bytes");
        ok(!$r->continued, 'without asking for the body');
        my $next = eval {
            $t->post('/im/unread', '{"from_id":"ann"}', conn => $c) };
        ok($r->closed || ($next && $next->status == 200),
           'the next request is not taken for the body');
    }
    my $c = $t->connect;
    $c->send(head('/im/nosuch', 'Expect: 100-continue',
                  'Transfer-Encoding: chunked'));
    is($c->read_response->header('Connection'), 'close', 'chunked');

    $c = $t->connect;
    $c->send("GET /im/unread HTTP/1.1${crlf}Host: x${crlf}"
             . "Expect: 100-continue$crlf$crlf");
    my $r = $c->read_response;
    is($r->status, 405, 'no body to come');
    is($t->post('/im/unread', '{"from_id":"ann"}', conn => $c)->status, 200,
       'kept and used');
};


# --- before others read it

subtest 'mirror' => sub {
    my $c = $t->connect;
    $c->send(head('/copied/send/msg', 'Content-Length: 20000000'));
    is($c->read_response->body, $too_large, 'refused by its length');
    my $r = $t->request(head('/copied/send/msg', 'Transfer-Encoding: chunked')
                        . chunked('x' x 600_000, 4000));
    is($r->status, 413, 'chunked');
    is($t->post('/copied/send/msg', body(ann => 'bob', 'x' x 30000))->body,
       '{}', 'what fits is mirrored and served');
    ok($t->poll(5, sub { !grep { -s } glob $t->dir . '/client_body/*' }),
       'nothing is left on the disk');
};

$t->done;
done_testing;
