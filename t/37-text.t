# Text comes back as it was sent, byte for byte.

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
    conf_im => 'im_max_body_size 256k;',
    conf_server => 'location /one/ { im_pass store;'
                   . ' im_max_message_size 1; }',
)->start;

my $utf8 = JSON::PP->new->utf8->allow_nonref;
my $ascii = JSON::PP->new->ascii->allow_nonref;

my %text = (
    'one byte'            => 'x',
    'a blank'             => ' ',
    'blanks around'       => '  x  ',
    'Chinese'             => '文本测试',
    'emoji'               => '😀👩‍👩‍👧‍👦🇨🇳',
    'combining'           => "e\x{301} \x{e9}",
    'right to left'       => "\x{5e9}\x{5dc}\x{202e}abc",
    'U+2028 and U+2029'   => "a\x{2028}b\x{2029}c",
    'U+FEFF'              => "\x{feff}x\x{feff}",
    'noncharacters'       => "\x{fdd0}\x{ffff}",
    'last character'      => "\x{10fffd}",
    'U+007F to U+009F'    => "\x7f\x80\x85\x9f",
    'widths of UTF-8'     => "\x7f\x{80}\x{7ff}\x{800}\x{d7ff}\x{e000}\x{ffff}"
                             . "\x{10000}",
    'quotes'              => q{"double" 'single' `back`},
    'backslashes'         => '\\ \\\\ \\n \\u0041 C:\\new\\table',
    'backslash at end'    => 'x\\',
    'slashes'             => 'http://a/b/</script>',
    'CRLF'                => "a\r\nb\rc\nd\r\n",
    'tab, bell, escape'   => "\t\x07\x1b[0m\x08\x0c",
    'control characters'  => join('', map { chr } 1 .. 31),
    'JSON'                => '{"a":[1,"b"],"c":null}',
    'end of an object'    => '"},{"msg":"x"}',
    'RESP'                => "\r\n\$5\r\nhello\r\n*1\r\n+OK\r\n",
    'formats'             => '%s %n %d %V %Z %%',
    'Lua'                 => "KEYS[1] ARGV[1] %1 [[x]] --",
    'a hash tag'          => '{c:x}',
    'variables'           => '$im_call ${x} {{dir}}',
    'HTML'                => '<b>&amp;</b>',
    'looks like a number' => '0123',
    'looks like nothing'  => 'null',
);

my $conv = $t->say(ann => 'bob', 'first')->conv_id;
my $n;

for my $name (sort keys %text) {
    my $text = $text{$name};
    my $bytes = encode('UTF-8', $text);

    for my $writer ([ plain => $utf8 ], [ escaped => $ascii ]) {
        my ($how, $json) = @$writer;
        my $body = '{"from_id":"ann","to_id":"bob","msg_type":0,"msg":'
                 . $json->encode("$text") . '}';
        my $r = $t->post('/im/send/msg', $body);
        is($r->body, '{}', "$name, $how") or next;

        my $raw = $t->call("/im/conv/$conv", { page_size => 1 })->body;
        is($utf8->decode($raw)->[0]{msg}, $text, 'in a page');
        my ($string) = $raw =~ /"msg":"((?:[^"\\]|\\.)*)","conv_id"/;
        $string =~ s/\\u00(?:[01][0-9A-Fa-f]|7[fF])|\\["\\bfnrt]//g;
        unlike($string, qr/\\/, 'not escaped beyond what JSON asks');
        my $kept = $bytes =~ s/[\x00-\x1f"\\]//gr;
        is(length($string), length($kept), 'the rest as it is')
            if $bytes !~ /\x7f/;

        $r = $t->call('/im/conv/list', { from_id => 'bob' });
        is($utf8->decode($r->body)->[0]{last_msg}, $text, 'in a list');
    }
}

my @all = map { ($text{$_}) x 2 } reverse sort keys %text;
is_deeply($t->texts($t->page($conv, page_size => 200)), [ @all, 'first' ],
          'all of them on one page');


# --- length is counted in bytes

sub code {
    my $r = $t->post($_[0], { from_id => 'ann', to_id => 'bob', msg => $_[1],
                              msg_type => 0 });
    return $r->code || $r->status;
}

my %long = (
    'of letters'     => 'x' x 32768,
    'of emoji'       => '😀' x 8192,
    'of Chinese'     => '文' x 10922 . 'xx',
    'of quotes'      => '"' x 32768,
    'of backslashes' => '\\' x 32768,
    'of newlines'    => "\n" x 32768,
    'of escapes'     => "\x01" x 32768,
);
for my $name (sort keys %long) {
    is(code('/im/send/msg', $long{$name}), 200, "32 KB $name");
    ok($t->page($conv, page_size => 1)->[0]{msg} eq $long{$name}, 'come back');
    my $before = $t->snapshot;
    is(code('/im/send/msg', $long{$name} . 'x'), 'msg_too_long', 'and a byte');
    is_deeply($t->snapshot, $before, 'stores nothing');
}
is(code('/one/send/msg', 'x'), 200, 'a limit of 1');
is(code('/one/send/msg', 'é'), 'msg_too_long', 'in bytes');
is(code('/im/send/msg', ''), 'bad_request', '0 bytes');

my $page = $t->page($conv, page_size => 8);
is_deeply([ map { length } @{ $t->texts($page) } ],
          [ map { length } 'x', @long{reverse sort keys %long} ],
          'large messages on one page');


# --- other texts

for my $name (sort keys %text) {
    my $text = $text{$name};
    $t->profile('ann', name => $text, img => $text);
    is_deeply($t->call('/im/user/get', { ids => ['ann'] })->json,
              [ { id => 'ann', name => $text, img => $text } ],
              "profile: $name");
}
$t->profile('ann', name => $text{emoji}, img => $text{quotes});
my $group = $t->group(ann => ['bob'], name => $text{quotes},
                      description => $text{CRLF}, img => $text{emoji});
is($t->members($group)->[0]{name}, $text{emoji}, 'name in a group');
$t->say_in(ann => $group, 'x');
is_deeply($t->page($group)->[0]{user}, { id => 'ann', type => '',
          name => $text{emoji}, img => $text{quotes} }, 'user in a page');
is($t->list('bob')->[0]{last_user_name}, $text{emoji}, 'last_user_name');

$t->done;
done_testing;
