# Directives: contexts, forms, merging, and what nginx -t refuses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $other = Test::IM->new;
$other->start_redis;

my $t = Test::IM->new(
    redis_tcp => 1,
    redis_args => [ '--user', 'im', 'on', '>secret', '~*', '+@all' ],
    store => <<'CONF',
        server unix:{{sock}};
        connections 2;
        connect_timeout 500ms;
        timeout 1s;
        max_pending 1000;
CONF
    conf_http => <<"CONF",
    im_redis other { server unix:${\ $other->sock}; }
    im_redis named {
        server 127.0.0.1:{{redis_port}};
        username im;
        password secret;
        database 2;
    }
    im_redis filed {
        server 127.0.0.1:{{redis_port}};
        username im;
        password_file {{dir}}/password;
        database 2;
    }
    im_page_size_max 7;
    im_list_max 2;
CONF
    conf_server => <<'CONF',
        location /api/v2/im/ { im_pass store; }
        location /chat { im_pass store; }
        location /im2 { im_pass store; }
        location /unix/ { im_pass unix:{{sock}}; }
        location /tcp/ { im_pass 127.0.0.1:{{redis_port}}; }
        location /host/ { im_pass localhost:{{redis_port}}; }
        location /other/ { im_pass other; }
        location /named/ { im_pass named; }
        location /filed/ { im_pass filed; }
        location /prefix/ { im_pass store; im_key_prefix shop:; }
        location /small/ {
            im_pass store;
            im_page_size_max 3;
            im_list_max 1;
            im_max_body_size 200;
            im_max_message_size 10;
            im_group_max_members 3;
        }
        set_im_conv_id $at_server $arg_a $arg_b;
        location = /id { return 200 $at_server; }
        location = /id2 {
            set_im_conv_id $here $arg_a $arg_b;
            if ($arg_c) {
                set_im_conv_id $there $arg_a $arg_c;
                return 200 $there;
            }
            return 200 $here;
        }
CONF
);
$t->write_file('password', "secret\n");
$t->start;


# --- what is accepted

my @settings = (
    'im_key_prefix app:;', 'im_user $remote_user;', 'im_user $http_x_user;',
    'im_trusted on;', 'im_trusted off;', 'im_trusted private;',
    'im_trusted $http_x_backend;', 'im_trusted "x$remote_user";',
    'im_origin same;', 'im_origin any;', 'im_origin null;',
    'im_origin https://a.example HTTP://[::1]:8080 capacitor://localhost;',
    'im_origin same https://a.example;',
    'im_reply v1;', 'im_reply full;', 'im_read_on_fetch on;',
    'im_read_on_fetch off;', 'im_list_max 100;', 'im_page_size_max 50;',
    'im_max_body_size 128k;', 'im_max_message_size 16k;',
    'im_group_max_members 1000;', 'im_idempotency_window 1h;',
    'im_recall_window 5m;', 'im_recall_window 0;', 'im_recall_window off;',
);

for my $s (@settings) {
    my ($name) = $s =~ /^(\S+)/;
    my %new = (conf_http => '', conf_server => '', conf_im => '');
    for my $where (sort keys %new) {
        is($t->conf_fails(%new, $where => $s), undef, "$s in $where")
            or diag($t->{check_output});
        like($t->conf_fails(%new, $where => "$s $s") // '',
             qr/"$name" directive is duplicate in/, "$name twice in $where");
    }
    is($t->conf_fails(conf_http => $s, conf_server => $s, conf_im => $s),
       undef, "$s in all three");
}

for my $where ('= /x', '/x/', '~ ^/x', '@x') {
    is($t->conf_fails(conf_http => '', conf_server =>
           "location $where { im_health; }"),
       undef, "im_health in location $where");
}
is($t->conf_fails(conf_http => '', location => '', conf_server =>
       'location /x { im_health; }'), undef, 'im_health and a store only');

for my $s ('', ' json', ' prometheus') {
    for my $where ('= /x', '/x/', '~ ^/x', '@x') {
        is($t->conf_fails(conf_http => '', conf_server =>
               "location $where { im_status$s; }"),
           undef, "im_status$s in location $where");
    }
}


# --- what is refused: with file and line of the fault, and the remedy

sub refused {
    my ($what, $like, %conf) = @_;
    my $merged = delete $conf{merged};      # found out after the last line
    my $text = $t->conf(conf_http => '', conf_server => '', conf_im => '',
                        %conf);
    my @lines = split /\n/, $text;
    my ($first, @more) = grep { $lines[$_ - 1] =~ /#!/ } 1 .. @lines;
    my $last = @more ? $more[-1] : $first;

    my $said = $t->conf_fails(conf_http => '', conf_server => '',
                              conf_im => '', %conf);
    ok(defined $said, "refused: $what") or return;
    my ($line) = $said =~ /\[emerg\].* in \S+check\.conf:(\d+)/;
    ok($line && ($merged || $line >= $first && $line <= $last),
       "$what: line")
        or diag("expected $first..$last: $said");
    like($said, $like, "$what: remedy");
}

my $srv = 'server 127.0.0.1:1;';

for (['zone=a', qr/zone=NAME:SIZE/], ['a:1m', qr/zone=NAME:SIZE/], ['on', qr/zone=NAME:SIZE/],
     ['zone=:1m', qr/at least 32k/], ['zone=a:31k', qr/at least 32k/], ['zone=a:x', qr/at least 32k/]) {
    refused("im_cache $_->[0]", $_->[1], conf_http => "im_cache $_->[0]; #!\n");
}
refused('im_cache twice', qr/duplicate/,
    conf_http => "im_cache off;\n im_cache zone=a:1m; #!");
is($t->conf_fails(conf_http => "im_cache $_;", conf_server => '', conf_im => ''), undef,
   "im_cache $_") for 'off', 'zone=a:32k', 'zone=a:64m';

refused('no server in a store', qr/server/,
    conf_http => "im_redis a { #!\n } #!");
refused('unknown setting in a store', qr/nosuch/,
    conf_http => "im_redis a { $srv\n nosuch 1; #!\n }");
refused('store named twice', qr/im_redis.*"a"|"a".*im_redis/s,
    conf_http => "im_redis a { $srv }\n im_redis a { $srv } #!");
refused('store without a name', qr/im_redis/,
    conf_http => "im_redis { $srv } #!");
refused('username without password', qr/password/,
    conf_http => "im_redis a { #!\n $srv\n username u; #!\n } #!");
refused('password twice over', qr/password_file/,
    conf_http => "im_redis a { #!\n $srv password x;\n"
        . "password_file {{dir}}/password; #!\n } #!");
refused('password file that is not there', qr/nofile/,
    conf_http => "im_redis a { #!\n $srv\n"
        . "password_file {{dir}}/nofile; #!\n } #!");
for (qw(-1 x 1.5)) {
    refused("database $_", qr/database|invalid number/,
        conf_http => "im_redis a { $srv\n database $_; #!\n }");
}
refused('connections 0', qr/connections|between/,
    conf_http => "im_redis a { $srv\n connections 0; #!\n }");
refused('max_pending 0', qr/max_pending|between/,
    conf_http => "im_redis a { $srv\n max_pending 0; #!\n }");
for (qw(connect_timeout timeout)) {
    refused("$_ x", qr/$_/, conf_http => "im_redis a { $srv\n $_ x; #!\n }");
    refused("$_ 0", qr/$_/, conf_http => "im_redis a { $srv\n $_ 0; #!\n }");
    for my $long ('86400001ms', '25d', '4294967301ms', '9223372036854775807ms') {
        refused("$_ $long", qr/"$_" must be at most a day/,
            conf_http => "im_redis a { $srv\n $_ $long; #!\n }");
    }
    is($t->conf_fails(conf_http => "im_redis a { $srv $_ 1d; }",
                      conf_server => '', conf_im => ''), undef, "$_ 1d");
}
for ([ '' => qr/require.*value/ ], [ 'nosuch' => qr/nosuch.*known are/ ],
     [ 'appendonly=yes' => qr/known are/ ], [ 'appendfsync' => qr/known are/ ],
     [ 'appendfsync=everysec' => qr/everysec.*known are.*always/ ],
     [ 'APPENDONLY' => qr/known are/ ], [ '""' => qr/known are/ ],
     [ 'min-replicas' => qr/known are/ ], [ 'min-replicas=' => qr/known are/ ],
     [ 'min-replicas=0' => qr/between 1 and 1000/ ],
     [ 'min-replicas=1001' => qr/between 1 and 1000/ ],
     [ 'min-replicas=x' => qr/between 1 and 1000/ ],
     [ 'min-replicas=-1' => qr/between 1 and 1000/ ],
     [ 'min-replicas=99999999999999999999' => qr/between 1 and 1000/ ],
     [ 'appendonly appendonly' => qr/"require appendonly" is duplicate/ ],
     [ 'appendfsync=always appendonly appendfsync=always' => qr/duplicate/ ],
     [ 'min-replicas=1 min-replicas=2' => qr/second.*remove one/ ],
     [ 'appendonly nosuch' => qr/nosuch.*known are/ ])
{
    my ($words, $like) = @$_;
    refused("require $words", $like,
        conf_http => "im_redis a { $srv\n require $words; #!\n }");
}
refused('require twice the same', qr/duplicate/,
    conf_http => "im_redis a { $srv\n require appendonly;\n"
        . "require appendonly; #!\n }");
is($t->conf_fails(conf_http => "im_redis a { $srv require appendonly;\n"
        . "require appendfsync=always min-replicas=1000; }",
        conf_server => '', conf_im => ''), undef, 'require, in several lines');
refused('server with a bad port', qr/port/,
    conf_http => "im_redis a {\n server 127.0.0.1:99999; #!\n }");
refused('im_pass to no store', qr/nosuch.*im_redis|im_redis.*nosuch/s,
    conf_server => 'location /x/ { im_pass nosuch; } #!');
refused('im_pass with a bad port', qr/port/,
    conf_server => 'location /x/ { im_pass 127.0.0.1:99999; } #!');
refused('im_pass twice', qr/"im_pass" directive is duplicate/,
    conf_server => "location /x/ { im_pass store;\n im_pass store; } #!");
refused('im_pass in a regular expression', qr/im_pass.*location \/im\//,
    conf_server => 'location ~ ^/x/ { im_pass store; } #!');
refused('im_pass in a named location', qr/im_pass.*location \/im\//,
    conf_server => 'location @x { im_pass store; } #!');
refused('im_pass in an exact location', qr/im_pass.*location \/im\//,
    conf_server => 'location = /x/unread { im_pass store; } #!');
refused('im_key_prefix with braces', qr/im_key_prefix.*brace/,
    conf_im => 'im_key_prefix "a{b}:"; #!');
refused('im_pass in server', qr/im_pass.*not allowed here/,
    conf_server => 'im_pass store; #!');
for my $where (qw(conf_http conf_server)) {
    refused("im_status in $where", qr/im_status.*not allowed here/,
        $where => 'im_status; #!');
}
refused('im_status xml', qr/im_status.*json.*prometheus/,
    conf_server => 'location /x/ { im_status xml; } #!');
refused('im_status of two', qr/arguments.*im_status/,
    conf_server => 'location /x/ { im_status json prometheus; } #!');
refused('im_status twice', qr/"im_status" directive is duplicate/,
    conf_server => "location /x/ { im_status;\n im_status; } #!");
refused('im_status beside im_pass', qr/im_status.*location of its own/,
    conf_server => "location /x/ { im_pass store;\n im_status; } #!");
refused('im_pass beside im_status', qr/im_status.*location of its own/,
    conf_server => "location /x/ { im_status;\n im_pass store; } #!");
for my $where (qw(conf_http conf_server)) {
    refused("im_health in $where", qr/im_health.*not allowed here/,
        $where => 'im_health; #!');
}
refused('im_health of a store', qr/arguments.*im_health/,
    conf_server => 'location /x/ { im_health store; } #!');
refused('im_health twice', qr/"im_health" directive is duplicate/,
    conf_server => "location /x/ { im_health;\n im_health; } #!");
for ('im_pass store', 'im_status') {
    refused("im_health beside $_", qr/im_health.*location of its own/,
        conf_server => "location /x/ { $_;\n im_health; } #!");
    refused("$_ beside im_health", qr/im_health.*location of its own/,
        conf_server => "location /x/ { im_health;\n $_; } #!");
}
like($t->conf_fails(conf_http => '', location => '', store => '',
                    conf_server => 'location /x/ { im_health; }') // '',
     qr/im_health.*add an im_pass/, 'im_health without a store');
refused('a cache with the name of the figures', qr/im_status/, merged => 1,
    conf_http => 'im_cache zone=im_status:4m; #!');
refused('im_redis in server', qr/im_redis.*not allowed here/,
    conf_server => "im_redis a { $srv } #!");
refused('im_reply v2', qr/v1.*full|v2/, conf_im => 'im_reply v2; #!');
refused('im_read_on_fetch maybe', qr/"on" or "off"/,
    conf_im => 'im_read_on_fetch maybe; #!');
for (qw(im_list_max im_page_size_max im_group_max_members
        im_max_message_size im_max_body_size)) {
    refused("$_ 0", qr/$_/, conf_im => "$_ 0; #!");
    refused("$_ -1", qr/$_|invalid/, conf_im => "$_ -1; #!");
    refused("$_ many", qr/$_|invalid/, conf_im => "$_ many; #!");
}
refused('a message larger than a body', qr/im_max_body_size/, merged => 1,
    conf_im => "im_max_message_size 100k; #!\n im_max_body_size 50k; #!");
for ('yes', 'maybe', '1', 'ON', '""') {
    refused("im_trusted $_", qr/im_trusted.*off.*on.*private/,
        conf_im => "im_trusted $_; #!");
}
for ('https://a.example/', 'https://a.example/x', 'a.example', 'https://',
     'https:a.example', '//a.example', 'https://a.example:0', '""',
     'https://a.example:65536', 'https://a.example:x', 'https://a@b',
     '"https://a b"', '*', 'https://[::1', 'self', 'https://a.example:',
     '1http://a.example') {
    refused("im_origin $_", qr/is no origin: im_origin takes/,
        conf_im => "im_origin $_; #!");
}
refused("im_origin any $_", qr/im_origin.*any.*alone/,
    conf_im => "im_origin any $_; #!") for 'same', 'https://a.example';
like($t->conf_fails(conf_http => '', conf_server => '', conf_im =>
         'im_trusted on; im_user $remote_user;') // $t->{check_output},
     qr/\[warn\].*im_trusted on.*im_user is not used/,
     'im_trusted on beside im_user: a warning');
refused("im_recall_window $_", qr/im_recall_window|invalid/,
    conf_im => "im_recall_window $_; #!") for qw(x on never -1 offf);
refused('im_idempotency_window x', qr/im_idempotency_window|invalid/,
    conf_im => 'im_idempotency_window x; #!');
refused('set_im_conv_id of one user', qr/set_im_conv_id/,
    conf_server => 'set_im_conv_id $x a; #!');
refused('set_im_conv_id to no variable', qr/set_im_conv_id|variable name/,
    conf_server => 'set_im_conv_id x a b; #!');


# --- im_pass: every form serves, from the same keys

my $conv = $t->say(ann => 'bob', 'hello')->conv_id;
like($conv, qr/^[0-9a-f]{24}$/, 'id of a 1:1 conversation');

for my $prefix (qw(/im/ /api/v2/im/ /unix/ /tcp/ /host/)) {
    my $r = $t->post("${prefix}conv/$conv", {});
    is($r->status, 200, "$prefix serves");
    is_deeply($t->texts($r->json), ['hello'], "$prefix reads the store");
    $r = $t->post("${prefix}nosuch", {});
    is($r->code, 'not_found', "$prefix knows its calls");
}
is($t->post('/chat/conv/list', { from_id => 'ann' })->status, 200,
   'location without a slash at its end');
is($t->post($_, { from_id => 'ann' })->code, 'not_found', "not $_")
    for qw(/chatconv/list /chatunread /chat/ /chat /chats/conv/list
           /chat-2/unread /im2unread);
is($t->post('/im2conv/abc', {})->code, 'not_found',
   'nor with a conversation in the path');
is($t->get('/site')->body, "site\n", 'the site beside it');

is_deeply([ grep { !/^im:/ } @{ $t->redis('KEYS', '*') } ], [],
          'keys begin with im:');


# --- stores and prefixes are apart

my $before = $t->snapshot;
is($t->post('/other/send/msg', { from_id => 'ann', to_id => 'bob',
            msg => 'there', msg_type => 0 })->conv_id, $conv,
   'the id of a pair is the same in every store');
is_deeply($t->snapshot, $before, 'a second store is another store');
ok(scalar @{ $other->redis('KEYS', 'im:*') }, 'and has its own keys');
is_deeply($t->texts($t->page($conv)), ['hello'], 'first store');
is_deeply($t->texts($t->post("/other/conv/$conv", {})->json), ['there'],
          'second store');

is($t->post('/prefix/conv/list', { from_id => 'ann' })->body, '[]',
   'another prefix, other conversations');
$t->call('/prefix/send/msg', { from_id => 'ann', to_id => 'bob',
         msg => 'shop', msg_type => 0 });
my @new = grep { !exists $before->{$_} } @{ $t->redis('KEYS', '*') };
ok(@new > 0, 'im_key_prefix: keys');
is_deeply([ grep { !/^shop:/ } @new ], [], 'im_key_prefix: their first part');
is_deeply($t->texts($t->page($conv)), ['hello'], 'im_key_prefix: apart');

$t->call('/named/send/msg', { from_id => 'ann', to_id => 'bob',
         msg => 'in db 2', msg_type => 0 });
is_deeply($t->texts($t->call("/filed/conv/$conv", {})->json), ['in db 2'],
          'username, password, password_file, database');
$t->redis('SELECT', 2);
ok($t->redis('DBSIZE') > 0, 'database 2 has the keys');
$t->redis('SELECT', 0);


# --- limits: inherited, and set again further in

for my $n (1 .. 9) { $t->say(ann => 'bob', "m$n") }
$t->say(ann => "u$_", 'x') for 1 .. 3;

sub code { my $r = $t->post(@_); return $r->code || $r->status }

is(code("/im/conv/$conv", { page_size => 7 }), 200, 'im_page_size_max of http');
is(code("/im/conv/$conv", { page_size => 8 }), 'bad_request', 'one more');
is(scalar @{ $t->page($conv) }, 7, 'default page size is never beyond it');
is(code("/small/conv/$conv", { page_size => 3 }), 200, 'of the location');
is(code("/small/conv/$conv", { page_size => 4 }), 'bad_request', 'one more');
is(scalar @{ $t->list('ann') }, 2, 'im_list_max of http');
is(scalar @{ $t->call('/small/conv/list', { from_id => 'ann' })->json }, 1,
   'of the location');

my %msg = (from_id => 'ann', to_id => 'bob', msg_type => 0);
is(code('/small/send/msg', { %msg, msg => 'x' x 10 }), 200,
   'im_max_message_size');
is(code('/small/send/msg', { %msg, msg => 'x' x 11 }), 'msg_too_long',
   'one byte more');
is(code('/small/unread', '{"from_id":"ann"}' . ' ' x 183), 200,
   'im_max_body_size');
is(code('/small/unread', '{"from_id":"ann"}' . ' ' x 184), 'body_too_large',
   'one byte more');
my %group = (owner_id => 'ann', name => 'g');
is(code('/small/creat/group', { %group, member => [qw(b c)] }), 200,
   'im_group_max_members');
is(code('/small/creat/group', { %group, member => [qw(b c d)] }),
   'group_full', 'one more');


# --- set_im_conv_id

for (qw(/id /id2)) {
    is($t->get("$_?a=ann&b=bob")->body, $conv, "set_im_conv_id in $_");
    is($t->get("$_?a=bob&b=ann")->body, $conv, 'the other way round');
    isnt($t->get("$_?a=ann&b=bo")->body, $conv, 'another pair');
}
is($t->get('/id2?a=ann&b=x&c=bob')->body, $conv, 'set_im_conv_id in if');

$t->done;
$other->cleanup;
done_testing;
