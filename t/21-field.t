# What a body may be: JSON itself, then every field of every call.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Test::IM;

my $t = Test::IM->new->start;
my $json = JSON::PP->new->canonical->allow_nonref;

my $conv = $t->say(ann => 'bob', 'first')->conv_id;
my $msg_id = $t->page($conv)->[0]{msg_id};
my $group = $t->group(ann => ['bob'], conv_id => 'grp');
$t->profile('ann', name => 'Ann');


# refused with this code, the field named, and no key changed
sub refused {
    my ($path, $body, $code, $field, $name) = @_;
    my $before = $t->snapshot;
    my $r = $t->post($path, $body);
    my $ok = $r->code eq $code && $r->status == $STATUS{$code}
        && (!defined $field || $r->error =~ /\b$field\b/)
        && $r->body =~ /^\{"code":"[a-z_]+","error":"(?:[^"\\]|\\.)+"\}$/;
    ok($ok, "$path: $name: $code")
        or diag('want ' . ($field // 'any') . " named: " . $r->status . ' '
                . substr($r->body, 0, 300));
    is_deeply($t->snapshot, $before, 'no key has changed');
}

sub accepted {
    my ($path, $body, $name) = @_;
    my $r = $t->post($path, $body);
    is($r->status, 200, "$path: $name") or diag(substr $r->body, 0, 300);
    return $r;
}


# --- JSON

my $send = '"from_id":"ann","to_id":"bob","msg":"hi","msg_type":0';

for (['nothing but an opening', '{'], ['no value', '{"from_id":}'],
     ['single quotes', "{'from_id':'ann'}"],
     ['comma at the end', "{$send,}"], ['no comma', '{"a":1 "b":2}'],
     ['comment', "{$send}/* x */"], ['bare word', '{"from_id":ann}'],
     ['NaN', "{$send,\"x\":NaN}"], ['plus', "{$send,\"x\":+1}"],
     ['leading zero', "{$send,\"x\":01}"], ['hex', "{$send,\"x\":0x1}"],
     ['bare dot', "{$send,\"x\":1.}"],
     ['newline in a string', "{$send,\"x\":\"a\nb\"}"],
     ['tab in a string', "{$send,\"x\":\"a\tb\"}"],
     ['bad escape', "{$send,\"x\":\"\\q\"}"],
     ['bad \\u', "{$send,\"x\":\"\\u12g4\"}"],
     ['open string', "{$send,\"x\":\"abc"],
     ['form data', 'from_id=ann&to_id=bob'],
     ['array', "[{$send}]"], ['empty array', '[]'], ['string', '"ann"'],
     ['number', '1'], ['null', 'null'], ['true', 'true'],
     ['bytes after it', "{$send}x"], ['second object', "{$send}{$send}"],
     ['closing twice', "{$send}}"], ['NUL after it', "{$send}\0"],
     ['byte order mark', "\xef\xbb\xbf{$send}"],
     ['duplicate', "{$send,\"from_id\":\"ann\"}"],
     ['duplicate of another type', "{$send,\"msg\":1}"],
     ['duplicate unknown', "{$send,\"x\":1,\"x\":1}"],
     ['duplicate within', "{$send,\"x\":{\"y\":1,\"y\":2}}"],
     ['duplicate in another spelling', "{$send,\"\\u0066rom_id\":\"bob\"}"],
     ['NUL byte', "{$send,\"x\":\"a\0b\"}"],
     ['escaped NUL', "{$send,\"x\":\"a\\u0000b\"}"],
     ['escaped NUL in a name', "{$send,\"a\\u0000b\":1}"],
     ['high surrogate alone', "{$send,\"x\":\"\\ud800\"}"],
     ['low surrogate alone', "{$send,\"x\":\"\\udc00\"}"],
     ['high surrogate, letter', "{$send,\"x\":\"\\ud83da\"}"],
     ['surrogates in wrong order', "{$send,\"x\":\"\\ude00\\ud83d\"}"],
     ['bytes ff fe', "{$send,\"x\":\"\xff\xfe\"}"],
     ['overlong', "{$send,\"x\":\"\xc0\x80\"}"],
     ['overlong slash', "{$send,\"x\":\"\xe0\x80\xaf\"}"],
     ['surrogate in UTF-8', "{$send,\"x\":\"\xed\xa0\x80\"}"],
     ['beyond U+10FFFF', "{$send,\"x\":\"\xf4\x90\x80\x80\"}"],
     ['cut character', "{$send,\"x\":\"\xe2\x82\"}"],
     ['Latin-1', "{$send,\"x\":\"caf\xe9\"}"],
     ['invalid UTF-8 in a name', "{$send,\"\xff\":1}"])
{
    my ($name, $body) = @$_;
    refused('/im/send/msg', $body, 'bad_json', undef, $name);
}

for my $field (qw(from_id to_id msg)) {
    my $body = "{$send}";
    $body =~ s/"$field":"\w+"/"$field":"a\\u0000b"/;
    refused('/im/send/msg', $body, 'bad_json', undef, "NUL in $field");
}

for (['blanks around', " \r\n\t{$send} \r\n"],
     ['unknown members', "{$send,\"x\":1,\"y\":[{}],\"z\":null,\"\":true}"],
     ['unknown, as documented elsewhere', "{$send,\"page_no\":\"x\"}"],
     ['surrogate pair', "{$send,\"x\":\"\\ud83d\\ude00\"}"],
     ['last character', "{$send,\"x\":\"\xf4\x8f\xbf\xbf\"}"],
     ['escaped name', '{"\u0066rom_id":"ann","to_id":"bob","msg":"x",'
                      . '"msg_type":0}'],
     ['escaped slash', '{"from_id":"ann","to_id":"bob","msg":"a\/b",'
                       . '"msg_type":0}'],
     ['some depth', "{$send,\"x\":" . '[' x 50 . ']' x 50 . '}'],
     ['many members', "{$send," . join(',', map { "\"m$_\":$_" } 1 .. 3000)
                      . '}'])
{
    my ($name, $body) = @$_;
    accepted('/im/send/msg', $body, $name);
}

# deep, wide or large: an answer, whichever, and no harm
for (['arrays', '[' x 30000], ['arrays, closed', '[' x 30000 . ']' x 30000],
     ['objects', '{"a":' x 12000], ['in a member', "{$send,\"x\":"
      . '[' x 30000 . ']' x 30000 . '}'],
     ['an integer of 400 digits', "{$send,\"x\":" . '9' x 400 . '}'],
     ['1e999', "{$send,\"x\":1e999}"])
{
    my ($name, $body) = @$_;
    my $r = $t->post('/im/send/msg', $body);
    ok($r->status == 200 || $r->status == 400 && $r->code =~ /^bad_/, $name)
        or diag($r->status . ' ' . $r->body);
}


# --- fields

my %id = (string => 1, values => ['', 'a b', 'a%b', 'a{b}', 'a?', 'a&b', '<',
    "a\nb", "a\tb", "\x{e9}", "\x{1f600}", 'a"b', 'a\\b', '#', 'a,b', "a'b",
    'a;b', '(a)', '[a]', '$a', 'a^b', 'a`b', 'a>', "a\x7f", '.', '..',
    'x' x 65, 'x' x 1000]);
my %opt_id = (%id, optional => 1, values =>
              [ grep { length } @{ $id{values} } ]);

# only users' ids have these
my %conv_id = (%id, values => [ @{ $id{values} }, 'a/b', 'a*', 'a=b', 'a+b',
                                'a|b', '~a', 'a!' ]);
my %opt_conv_id = (%conv_id, optional => 1, values =>
                   [ grep { length } @{ $conv_id{values} } ]);
my %text = (string => 1, optional => 1);
my %number = (integer => 1, optional => 1, values => [ -1, 0 ]);
my %size = (%number, values => [ -1, 0, 201, 100000 ]);

my @calls = (
    [ '/im/conv/list', { from_id => 'ann' }, from_id => \%id ],
    [ "/im/conv/$conv", { page_no => 1, page_size => 10, from_id => 'ann' },
      from_id => \%opt_id, page_no => \%number, page_size => \%size ],
    [ '/im/from/to', { from_id => 'ann', to_id => 'bob', page_no => 1,
                       page_size => 10 },
      from_id => \%id, to_id => \%id, page_no => \%number,
      page_size => \%size ],
    [ '/im/send/msg', { from_id => 'ann', conv_id => $conv, to_id => 'bob',
                        msg => 'hi', msg_type => 0, client_msg_id => 'c1' },
      from_id => \%id, to_id => \%opt_id, conv_id => \%opt_conv_id,
      msg => { string => 1, values => [ '' ] },
      msg_type => { integer => 1, values => [ -1, 5, 100 ] },
      client_msg_id => { %text, values => [ 'x' x 65, "\x{e9}" x 33 ] } ],
    [ '/im/creat/group', { owner_id => 'ann', name => 'g',
                           member => [ 'bob' ], img => 'i',
                           description => 'd', conv_id => 'new1' },
      owner_id => \%id,
      name => { string => 1, values => [ '', 'x' x 129, "\x{e9}" x 65 ] },
      img => \%text, description => \%text, member => { ids => 1 },
      conv_id => { %opt_conv_id, values => [ @{ $opt_conv_id{values} },
                   'list', '0123456789abcdef01234567' ] } ],
    [ '/im/add/group/merber', { conv_id => 'grp', member => [ 'cid' ] },
      conv_id => \%conv_id, member => { ids => 1, asked => 1 } ],
    [ "/im/conv/$conv/read", { from_id => 'ann', msg_id => $msg_id },
      from_id => \%id, msg_id => { %text } ],
    [ '/im/unread', { from_id => 'ann' }, from_id => \%id ],
    [ '/im/user/set', { users => [ { id => 'ann', name => 'A',
                                     img => 'i' } ] },
      users => { array => 1 } ],
    [ '/im/user/get', { ids => [ 'ann' ] }, ids => { ids => 1, asked => 1 } ],
);

my @values = ([ string => 'x' ], [ integer => 1 ], [ real => 1.5 ],
    [ true => JSON::PP::true ], [ false => JSON::PP::false ],
    [ null => undef ], [ object => {} ], [ array => [ 'x' ] ],
    [ 'array of arrays' => [ [] ] ]);

for my $call (@calls) {
    my ($path, $good, %fields) = @$call;

    # what is wrong first: nothing of it may have been done
    for my $field (sort keys %fields) {
        my $f = $fields{$field};

        if (!$f->{optional} && !($f->{ids} && !$f->{asked})) {
            my %less = %$good;
            delete $less{$field};
            refused($path, \%less, 'bad_request', $field, "no $field");
        }
        for (@values) {
            my ($type, $value) = @$_;
            next if $f->{string} && $type eq 'string'
                || $f->{integer} && $type eq 'integer'
                || $f->{ids} && $type eq 'array';
            refused($path, { %$good, $field => $value }, 'bad_request', $field,
                    "$field is $type");
        }
        for my $value (@{ $f->{values} || [] }) {
            refused($path, { %$good, $field => $value }, 'bad_request', $field,
                    "$field " . substr $json->ascii->encode($value), 0, 40);
        }
        if ($f->{ids}) {
            for my $bad ('', 'a b', '.', '..', 'x' x 65, 1, undef, {}, [], 1.5,
                         JSON::PP::true) {
                refused($path, { %$good, $field => [ 'ok1', $bad, 'ok2' ] },
                        'bad_request', $field, "$field with "
                        . substr $json->encode($bad), 0, 20);
            }
        }
    }
    accepted($path, $good, 'all fields');
}

for my $bad ([ 'no id', { name => 'x' } ], [ 'bad id', { id => 'a b' } ],
             [ 'id a number', { id => 1 } ], [ 'empty id', { id => '' } ],
             [ 'long id', { id => 'x' x 65 } ])
{
    refused('/im/user/set', { users => [ { id => 'u1' }, $bad->[1] ] },
            'bad_request', 'id', $bad->[0]);
}
for my $field (qw(name img)) {
    for my $bad (1, 1.5, {}, [], undef, JSON::PP::false) {
        refused('/im/user/set', { users => [ { id => 'u1', name => 'x' },
                { id => 'u2', $field => $bad } ] }, 'bad_request', $field,
                "$field " . $json->encode($bad));
    }
}
refused('/im/user/set', { users => [ map { { id => "u$_" } } 1 .. 501 ] },
        'bad_request', 'users', '501 users');


# --- what is just within

accepted('/im/unread', { from_id => $_ }, "id $_")
    for 'x', 'x' x 64, '-', '_', '...', '.x', ':', '@', 'AZaz09_-.:@', '0', 'list',
        '+', '=', '|', '~', '/', '!', '*', '+=|~/!*', '//', '../..',
        'CKD_P_903000000000001';
accepted('/im/creat/group', { owner_id => 'ann', name => $_ }, 'name')
    for 'x', 'x' x 128, "\x{e9}" x 64;
accepted('/im/creat/group', { owner_id => 'ann', name => 'x', conv_id => $_ },
         "conv_id $_")
    for 'x' x 64, '0123456789abcdef0123456', '0123456789abcdef012345678',
        '0123456789ABCDEF01234567', 'lists', 'LIST', '...', '.a', 'a..', '-.';
accepted('/im/send/msg', { from_id => 'ann', to_id => 'bob', msg => 'x',
                           msg_type => 0, client_msg_id => $_ },
         'client_msg_id')
    for 'x', 'x' x 64, 'any text, "quoted"', "\x{1f600}" x 16;
accepted("/im/conv/$conv", { page_size => $_ }, "page_size $_") for 1, 200;

is($t->page($conv, page_no => 1_000_000_000)->[0], undef, 'a far page');
for my $n ('2147483648', '4294967297', '9223372036854775807',
           '9223372036854775808', '99999999999999999999') {
    my $r = $t->post("/im/conv/$conv", "{\"page_no\":$n}");
    ok($r->body eq '[]' || $r->status == 400, "page_no $n") or diag($r->body);
    $r = $t->post("/im/conv/$conv", "{\"page_size\":$n}");
    is($r->status, 400, "page_size $n");
    $r = $t->post('/im/send/msg', '{"from_id":"ann","to_id":"bob","msg":"x",'
                  . "\"msg_type\":$n}");
    is($r->status, 400, "msg_type $n");
}


# --- ids in the path

for my $id ('a%20b', '%7Ba%7D', '%C3%A9', 'a%2Ab', 'a%25b', 'x' x 65, 'a+b',
            'a=b', '%22', 'a,b', 'a|b', 'a~b', 'a!', 'a*') {
    refused("/im/conv/$id", '{}', 'bad_request', 'conv_id', 'id in the path');
    refused("/im/group/$id/list", '{}', 'bad_request', 'conv_id',
            'id in the path');
    refused("/im/conv/$id/read", '{"from_id":"ann"}', 'bad_request', 'conv_id',
            'id in the path');
}

$t->done;
done_testing;
