# Conditional and range headers change no answer: neither results nor
# refusals, nor the status.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_http => 'add_header Last-Modified "Thu, 01 Jan 2015 00:00:00 GMT";',
    conf_server => <<'CONF',
        location /etag/ {
            im_pass store;
            add_header ETag '"x"';
            expires max;
        }
        location /gzip/ {
            im_pass store;
            gzip on;
            gzip_types application/json;
            gzip_min_length 1;
        }
        location = /status { im_status json; }
CONF
)->start;

my $conv = $t->say(ann => 'bob', 'first')->conv_id;
my $date = 'Thu, 01 Jan 2015 00:00:00 GMT';

my @headers = (
    'If-None-Match: *', 'If-None-Match: "x"', 'If-None-Match: W/"x", "y"',
    'If-None-Match: ', 'If-Match: *', 'If-Match: "x"', 'If-Match: "nosuch"',
    "If-Modified-Since: $date", 'If-Modified-Since: not a date',
    'If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT',
    "If-Unmodified-Since: $date", 'If-Unmodified-Since: not a date',
    'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
    'Range: bytes=0-0', 'Range: bytes=0-0,2-3', 'Range: bytes=9999-',
    'Range: bytes=-1', 'Range: lines=1-2',
    qq(Range: bytes=0-1\r\nIf-Range: "x"),
    "Range: bytes=0-1\r\nIf-Range: $date",
    "If-None-Match: *\r\nIf-Modified-Since: $date\r\nRange: bytes=1-1",
);

my @calls = (
    [ 'a page', "/im/conv/$conv", '{}', 200 ],
    [ 'a list', '/im/conv/list', '{"from_id":"cid"}', 200 ],
    [ 'a total', '/im/unread', '{"from_id":"cid"}', 200 ],
    [ 'validators of others', "/etag/conv/$conv", '{}', 200 ],
    [ 'compressed', "/gzip/conv/$conv", '{}', 200 ],
    [ 'bad JSON', '/im/send/msg', '{', 400 ],
    [ 'no such call', '/im/nosuch', '{}', 404 ],
    [ 'no such conversation', '/im/conv/nosuch', '{}', 404 ],
);

for my $call (@calls) {
    my ($name, $path, $body, $status) = @$call;
    my $plain = $t->post($path, $body);
    is($plain->status, $status, "$name: $status");
    subtest $name => sub {
        for my $header (@headers) {
            my $r = $t->post($path, $body, headers => [ $header ]);
            is($r->status, $status, $header);
            is($r->body, $plain->body, 'the same body');
        }
    };
}

subtest 'a send: stored once and told so' => sub {
    for my $n (0 .. $#headers) {
        my $r = $t->post('/im/send/msg', body(ann => 'bob', "n$n"),
                         headers => [ $headers[$n] ]);
        is($r->status, 200, $headers[$n]);
        is($r->body, '{}', 'the answer');
        is($t->page($conv, page_size => 1)->[0]{msg}, "n$n", 'stored');
    }
};

subtest 'over HTTP/2' => sub {
    for my $header ('If-None-Match: *', 'If-Match: "x"', 'Range: bytes=0-0',
                    "If-Unmodified-Since: $date") {
        my $r = $t->h2("/im/conv/$conv", '{"page_size":1}',
                       headers => [ $header ]);
        is($r->status, 200, $header);
        is(scalar @{ $r->json }, 1, 'the page');
    }
};

subtest 'the status' => sub {
    for my $header (@headers) {
        my $r = $t->get('/status', headers => [ $header ]);
        is($r->status, 200, $header);
        ok(ref $r->json eq 'HASH', 'the whole of it');
    }
};

subtest 'the site beside it has them as before' => sub {
    is($t->get('/site', headers => [ 'If-Match: "x"' ])->status, 412,
       'If-Match');
};

$t->done;
done_testing;
