# Bodies that are JSON, but not what jansson or a careless reader expects:
# numbers of any size, texts escaped in any way, bodies that cost much, and
# the sentences that say what is wrong.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode);
use JSON::PP ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_server => 'location /wide/ { im_pass store; im_max_body_size 1m;'
                   . ' im_group_max_members 10000; }',
)->start;
my $ascii = JSON::PP->new->ascii->allow_nonref;

my $conv = $t->say(ann => 'bob', 'first')->conv_id;
$t->group(ann => ['bob'], conv_id => 'grp');

my $send = '"from_id":"ann","to_id":"bob","msg":"hi","msg_type":0';

sub newest { return $t->page($conv, page_size => 1)->[0]{msg} }


# --- numbers in members that no call knows

my @numbers = qw(18446744073709551615 18446744073709551616
    9223372036854775807 9223372036854775808 -9223372036854775808
    -9223372036854775809 -18446744073709551615 1e400 -1e400 1E400 1e+400
    1e-400 1.5e999999999999 -0 0 -0.0 0e0 0E-0 1E+2 1e1 1.0
    0.1234567890123456789012345678901234567890 123456789012345678901234567890.5
    12345678901234567890e-5);
push @numbers, '9' x 400, '-' . '1' x 5000, '0.' . '3' x 5000, '1' . '0' x 40,
    '1e' . '9' x 400, '1.' . '0' x 400 . 'E-' . '1' x 20;

my $i = 0;
for my $number (@numbers) {
    my $shown = length $number > 40 ? substr($number, 0, 37) . '...' : $number;

    for my $body ("{\"trace\":$number,$send}", "{$send,\"trace\":$number}",
                  "{$send,\"a\":{\"b\":[{\"c\":[1,$number ,{}]}]}}",
                  "{\"x\":[" . '[' x 100 . $number . ']' x 100 . "],$send}",
                  "{\"x\":[$number,$number\n,\t$number],$send}")
    {
        $i++;
        my $r = $t->post('/im/send/msg',
                         $body =~ s/"msg":"hi"/"msg":"$i $shown"/r);
        is($r->body, '{}', "$shown as in " . substr $body, 0, 20);
    }
    is(newest(), "$i $shown", 'the text is stored as it was sent');
}

for my $call ([ '/im/conv/list', '"from_id":"ann"' ],
              [ '/im/unread', '"from_id":"ann"' ],
              [ "/im/conv/$conv", '"from_id":"ann"' ],
              [ '/im/from/to', '"from_id":"ann","to_id":"bob"' ],
              [ '/im/creat/group', '"owner_id":"ann","name":"x"' ],
              [ '/im/add/group/merber', '"conv_id":"grp","member":["cid"]' ],
              [ '/im/group/grp/list', '"y":1' ],
              [ '/im/user/set', '"users":[{"id":"ann","t":1e400,"u":['
                                . '18446744073709551615]}]' ],
              [ '/im/user/get', '"ids":["ann"]' ])
{
    my ($path, $members) = @$call;
    is($t->post($path, "{$members,\"x\":1e400,\"y2\":-18446744073709551615}")
       ->status, 200, "$path takes them");
}

# texts that look like numbers are texts
for my $text ('1e400', '18446744073709551615', 'x,1e400', '{\"a\":1e400}',
              '\\\\\",1e400') {
    my $body = "{$send,\"n\":1e400}" =~ s/"msg":"hi"/"msg":"$text"/r;
    $t->post('/im/send/msg', $body);
    is(newest(), JSON::PP->new->allow_nonref->decode("\"$text\""),
       "the text $text");
}

# in members that are known they are wrong
for my $number ('18446744073709551615', '-18446744073709551615', '1e400',
                '1E+2', '0.5', '-0.0', '9' x 400, '1e-400')
{
    for my $call ([ "/im/conv/$conv", 'page_size' ],
                  [ '/im/send/msg', 'msg_type', $send ])
    {
        my ($path, $field, $more) = @$call;
        $more = defined $more ? ",$more" =~ s/,"msg_type":0//r : '';
        my $r = $t->post($path, "{\"$field\":$number$more}");
        is($r->status . $r->code, '400bad_request', "$field of "
           . substr $number, 0, 25);
        like($r->error, $number =~ /[.eE]/
             ? qr/^$field must be an integer$/
             : qr/^$field must be (?:between -?\d+ and \d+|at least \d+)$/,
             'named');
    }
    my $r = $t->post('/im/send/msg', "{$send}" =~ s/"hi"/$number/r);
    like($r->error, qr/^msg must be a string$/, 'as msg');
    $r = $t->post('/im/add/group/merber',
                  "{\"conv_id\":\"grp\",\"member\":[\"x\",$number]}");
    like($r->error, qr/^member must be a string$/, 'as member');
}

# what is no number stays none
for my $number (qw(01 +1 .5 1. 1.e1 1e 1e+ -  -a --1 0x10 1_000 Infinity NaN
                   -Infinity 1e4.5 00 -01), '1 2', '1e400x')
{
    for my $body ("{$send,\"x\":$number}", "{$send,\"x\":[1e400,$number]}") {
        my $r = $t->post('/im/send/msg', $body);
        is($r->code, 'bad_json', "x is $number");
        like($r->error, qr/ in member x at byte \d+$/, 'and it says where');
    }
}


# --- sizes: what a message may be does not depend on how it is escaped

sub code {
    my ($path, $msg) = @_;
    my $r = $t->post($path, '{"from_id":"ann","to_id":"bob","msg":' . $msg
                            . ',"msg_type":0}');
    return $r->code || $r->status;
}

sub all_escaped { return join '', map { sprintf '\u%04x', $_ }
                  unpack 'n*', encode('UTF-16BE', $_[0]) }

my %long = (
    'Chinese'    => '文' x 10922 . 'xx',
    'emoji'      => '😀' x 8192,
    'Cyrillic'   => 'Ж' x 16384,
    'quotes'     => '"' x 32768,
    'newlines'   => "\n" x 32768,
    'controls'   => "\x01" x 32768,
    'DEL'        => "\x7f" x 32768,
    'letters'    => 'x' x 32768,
    'of all'     => "文😀Ж\"\n\\/\x01x" x 2048 . 'x' x 2048,
);
for my $name (sort keys %long) {
    my $text = $long{$name};
    $text = substr $text, 0, -1 while length encode('UTF-8', $text) > 32768;
    $text .= 'x' while length encode('UTF-8', $text) < 32768;

    for my $how ([ 'as programs do', $ascii->encode("$text") ],
                 [ 'in full', '"' . all_escaped($text) . '"' ])
    {
        is(code('/im/send/msg', $how->[1]), 200,
           "32 KB, $name, escaped $how->[0]: " . length $how->[1]);
        ok(newest() eq $text, 'comes back');
        is(code('/im/send/msg', $how->[1] =~ s/"$/x"/r), 'msg_too_long',
           'a byte more does not');
    }
}


# --- bodies that cost much are refused by what costs

# the body within the limit and the one beyond it
sub bounded {
    my ($name, $text, $fits, $beyond, $path) = @_;
    $path //= '/wide/send/msg';
    my $r = $t->post($path, $fits);
    is($r->status, 200, "$name: the limit") or diag($r->body);
    $r = $t->post($path, $beyond);
    is($r->status . $r->code, '400bad_request', "$name: one more");
    like($r->error, $text, 'and it says so');
}

sub with { return "{$send,\"x\":$_[0]}" }

bounded('depth', qr/^the body is nested more than 512 levels deep in member x/,
        with('[' x 511 . ']' x 511), with('[' x 512 . ']' x 512));
bounded('depth of objects', qr/more than 512 levels deep/,
        with('{"y":' x 511 . 1 . '}' x 511),
        with('{"y":' x 512 . 1 . '}' x 512));
bounded('values', qr/^the body has more than 16384 values in member x/,
        with('[' . join(',', (1) x 16380) . ']'),
        with('[' . join(',', (1) x 16381) . ']'));
bounded('arrays', qr/^the body has more than 2048 arrays and objects/,
        with('[' . join(',', ('[]') x 2046) . ']'),
        with('[' . join(',', ('[]') x 2047) . ']'));
bounded('objects', qr/^the body has more than 2048 arrays and objects/,
        with('[' . join(',', ('{}') x 2046) . ']'),
        with('[' . join(',', ('{}') x 2047) . ']'));
bounded('members', qr/^the body has more than 8192 members in member x/,
        with('{' . join(',', map { "\"$_\":0" } 1 .. 8187) . '}'),
        with('{' . join(',', map { "\"$_\":0" } 0 .. 8187) . '}'));
bounded('members of many', qr/^the body has more than 8192 members in member/,
        with('[' . join(',', ('{"a":0,"b":"x","c":1e400,"d":null}') x 2046)
             . ',1]'),
        with('[' . join(',', ('{"a":0,"b":"x","c":1e400,"d":null}') x 2045,
                             '{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7}'
                            ) . ']'));
is($t->post('/wide/send/msg', with('[' x 300000))->code, 'bad_request',
   'a tower of brackets');
is($t->post('/wide/send/msg', '{"a":' x 100000)->code, 'bad_request',
   'and of objects');

# every call that is allowed fits
my @many = map { sprintf 'user-number-%05d', $_ } 1 .. 9999;
is($t->post('/wide/creat/group', { owner_id => 'ann', name => 'all',
            conv_id => 'all', member => \@many })->status, 200,
   'a group of 10000');
is(@{ $t->call('/wide/group/all/list', {})->json }, 10000, 'has them all');
is($t->post('/wide/add/group/merber', { conv_id => 'all',
            member => \@many })->status, 200, 'they are added again');
is($t->post('/wide/user/set', { users => [ map { { id => $_, name => "is $_",
            img => '/img', extra => { a => [ 1, 2 ] } } } @many[0 .. 499] ] })
   ->status, 200, '500 profiles with members nobody knows');
is($t->post('/wide/user/get', { ids => [ @many[0 .. 499] ] })->json->[499]{name},
   "is $many[499]", 'are stored');


# more ids than a group may have: all are checked, none reaches the store
my $ids = sub { join ',', map { "\"u$_\"" } @_ };
my $commands = sub {
    $t->redis(INFO => 'commandstats') =~ /^cmdstat_(?:hset|hmget):calls=(\d+)/m
        ? $1 : 0;
};
for my $many (501, 11_683, 16_000) {
    for my $call ([ '/im/creat/group', '"owner_id":"ann","name":"x"' ],
                  [ '/im/add/group/merber', '"conv_id":"grp"' ])
    {
        my ($path, $more) = @$call;
        my $had = $commands->();
        my $r = $t->post($path, "{$more,\"member\":["
                         . $ids->(1 .. $many) . ']}');
        is($r->status . $r->code, '409group_full', "$path: $many ids");
        is($commands->(), $had, 'none of them looked up');
        $r = $t->post($path, "{$more,\"member\":["
                      . $ids->(1 .. $many - 1) . ',"a b"]}');
        like($r->status . $r->error, qr/^400member must be/,
             'the last one is checked as well');
        $r = $t->post($path, "{$more,\"member\":["
                      . join(',', ('"ann","bob"') x ($many / 2)) . ']}');
        is($r->status, 200, "two, each many times, are two");
    }
}
is_deeply([ map { $_->{id} } @{ $t->members('grp') } ], [ qw(ann bob cid) ],
          'nobody was added');


# --- the sentence says what is wrong, and where

sub says {
    my ($name, $body, $text, $at) = @_;
    my $r = $t->post('/im/send/msg', $body);
    is($r->status . $r->code, '400bad_json', $name);
    like($r->error, $text, 'and the sentence');
    like($r->error, qr/ at byte $at$/, "at byte $at") if defined $at;
}

my $object = qr/^the body must be a JSON object, not/;
says('null', 'null', qr/$object null$/);
says('true', ' true ', qr/$object true$/);
says('false', 'false', qr/$object false$/);
says("number $_", $_, qr/$object a number$/) for qw(1 -1.5 0 1e400), '9' x 400;
says("body $_", $_, qr/$object a string$/) for '""', '"ann"', "\n\"{}\"";
says("body $_", $_, qr/$object an array$/) for '[]', '[{}]', "\t[1";
says('white space', " \r\n\t", qr/$object white space$/);
says('a byte order mark', "\xef\xbb\xbf{}",
     qr/^a byte order mark stands before the JSON object$/);
says('one before nothing', "\xef\xbb\xbf", qr/byte order mark/);
says('UTF-16', $_, qr/^the body must be UTF-8, not UTF-16$/)
    for "\xff\xfe{\0}\0", "\xfe\xff\0{\0}";
says('a form', 'from_id=ann', qr/a \{ is expected/, 1);
says('XML', ' <a/>', qr/a \{ is expected/, 2);
says('nul', 'nul', qr/a \{ is expected/, 1);

says('bytes behind', '{} x', qr/bytes follow the object/, 4);
says('a second object', '{}{}', qr/bytes follow the object/, 3);
says('NUL behind', "{}\0", qr/bytes follow the object/, 3);
says('bytes behind members', "{$send}]", qr/bytes follow the object at/,
     length "{$send}]");

sub bad_text {
    my ($name, $text, $sentence, $offset) = @_;
    my $at = length('{"to_id":"bob","msg":"') + ($offset // 3);
    my $msg = '{"to_id":"bob","msg":"ab' . $text;
    says($name, "$msg\",\"from_id\":\"ann\"}", qr/$sentence in member msg/, $at);
    says("$name, nested", '{"msg":{"deep":["ab' . $text . '"]}}',
         qr/$sentence in member msg/);
    says("$name, in a name", '{"ab' . $text . '":1}',
         qr/$sentence in the name of a member/, 2 + ($offset // 3));
    says("$name, in the name of an odd member", '{"a b":"' . $text . '"}',
         qr/$sentence at byte/);
}
bad_text('a high surrogate', '\\ud83d', 'a lone surrogate');
bad_text('a high surrogate and a letter', '\\ud83dx', 'a lone surrogate');
bad_text('two high ones', '\\ud83d\\ud83d', 'a lone surrogate');
bad_text('a low surrogate', '\\uDE00', 'a lone surrogate');
bad_text('in the wrong order', '\\ude00\\ud83d', 'a lone surrogate');
bad_text('a NUL escape', '\\u0000', 'a NUL character is not allowed');
bad_text('a NUL', "\0", 'a NUL character is not allowed');
bad_text('a newline', "\n", 'a control character is not escaped');
bad_text('an unknown escape', '\\x41', 'an unknown escape');
bad_text('a short escape', '\\u12g4', 'an unknown escape');
bad_text('Latin-1', "\xe9t\xe9", 'not valid UTF-8');
bad_text('a cut character', "\xe6\x96", 'not valid UTF-8');
bad_text('a surrogate in UTF-8', "\xed\xa0\xbd", 'not valid UTF-8');
bad_text('an overlong one', "\xc0\xaf", 'not valid UTF-8');

says('twice', "{$send,\"msg\":1}", qr/^member msg is given twice/,
     length "{$send,\"msg\"");
says('twice within', "{$send,\"x\":{\"a-b\":1,\"a-b\":2}}",
     qr/^member a-b is given twice/);
says('twice, behind a long number', "{\"x\":1e400,$send,\"msg\":1}",
     qr/^member msg is given twice/, length "{\"x\":1e400,$send,\"msg\"");
says('an odd name twice', '{"a b":1,"a b":1}', qr/^a member is given twice/,
     14);
says('a name with a quote twice', '{"a\\"b":1,"a\\"b":1}',
     qr/^a member is given twice/, 16);

says('no value', '{"msg":}', qr/a value is expected in member msg/, 8);
says('a bare word', '{"msg":hi}', qr/a value is expected in member msg/, 8);
says('no colon', '{"msg" "x"}', qr/a colon is expected in member msg/, 8);
says('a comma at the end', '{"msg":"x",}', qr/a name in quotes is expected/,
     12);
says('single quotes', "{'msg':1}", qr/a name in quotes is expected/, 2);
says('no comma', '{"msg":"x" "y":1}', qr/a comma or a \} is expected/, 12);
says('the wrong bracket', '{"msg":["x"}}', qr/a comma or a \] is expected/,
     12);
says('NUL behind a number', "{\"msg\":[1\0]}", qr/a comma or a \] is expected/,
     10);
says('an open string', '{"msg":"x', qr/it ends within a string/, 9);
says("body $_", $_, qr/it ends too early/, length $_)
    for '{', '{"msg"', '{"msg":', '{"msg":1', '{"msg":[', '{"msg":[1,';
says('a position behind a long number', '{"x":' . '9' x 400 . ',"y":tru}',
     qr/a value is expected in member y/, 411);

$t->done;
done_testing;
