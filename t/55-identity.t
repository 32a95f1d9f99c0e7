# Who calls: im_trusted in all its forms, alone and with im_user.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::UNIX;
use Test::More;
use Test::IM;

my $realip = 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;';

my $t = Test::IM->new(
    conf_http => <<'CONF',
    map $http_x_level $level { default $http_x_level; }
    server {
        listen unix:{{dir}}/http.sock;
        location /im/ { im_pass store; }
    }
CONF
    conf_server => <<"CONF",
        location /default/ { im_pass store; $realip }
        location /private/ { im_pass store; im_trusted private; $realip }
        location /on/ { im_pass store; im_trusted on; $realip }
        location /off/ { im_pass store; im_trusted off; }
        location /value/ { im_pass store; im_trusted \$level; }
        location /user/ { im_pass store; im_user \$http_x_user; $realip }
        location /both/ {
            im_pass store;
            im_user \$http_x_user;
            im_trusted \$level;
        }
        location /lan/ {
            im_pass store;
            im_user \$http_x_user;
            im_trusted private;
            $realip
        }
        location /open/ {
            im_pass store;
            im_user \$http_x_user;
            im_trusted on;
        }
        location /outer/ {
            im_trusted off;
            location /outer/in/ { im_pass store; }
            location /outer/on/ { im_pass store; im_trusted on; }
            location /outer/user/ { im_pass store; im_user \$http_x_user; }
        }
        location /if/ {
            im_pass store;
            im_trusted off;
            if (\$http_x_if) { set \$x 1; }
        }
CONF
)->start;

my %msg = (from_id => 'ann', to_id => 'bob', msg => 'x', msg_type => 0);

sub send_as { my ($where, @headers) = @_;
              return $t->post("$where/send/msg", \%msg, headers => \@headers) }

sub let_in {
    my ($where, @headers) = @_;
    my $r = send_as($where, @headers);
    is($r->status, 200, "$where @headers: let in") or diag($r->body);
}

sub refused {
    my ($where, $like, @headers) = @_;
    my $before = $t->snapshot;
    my $r = send_as($where, @headers);
    subtest "$where @headers: refused" => sub {
        is($r->status, 403, 'status');
        is($r->code, 'forbidden', 'forbidden');
        like($r->error, qr/\b$like\b/, "names $like");
        is_deeply($t->snapshot, $before, 'nothing was done');
        for (['conv/x', {}], ['conv/list', { from_id => 'ann' }],
             ['user/get', { ids => ['ann'] }], ['unread', { from_id => 'ann' }],
             ['creat/group', { owner_id => 'ann', name => 'g' }]) {
            is($t->post("$where/$_->[0]", $_->[1], headers => \@headers)->code,
               'forbidden', $_->[0]);
        }
    };
}


# --- by address

my @private = qw(127.0.0.1 127.255.255.255 10.0.0.0 10.255.255.255 172.16.0.0
    172.31.255.255 192.168.0.0 192.168.255.255 169.254.0.0 169.254.255.255
    ::1 fc00::1 fdff::1 fe80::1 febf::1 ::ffff:10.1.2.3 ::ffff:127.0.0.1
    ::ffff:192.168.0.1);
my @public = qw(126.255.255.255 128.0.0.0 9.255.255.255 11.0.0.0
    172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 169.253.255.255
    169.255.0.0 100.64.0.1 8.8.8.8 0.0.0.0 255.255.255.254 :: ::2 ::127.0.0.1
    fb00::1 fe00::1 fec0::1 2001:db8::1 ::ffff:8.8.8.8 ::ffff:172.32.0.1
    64:ff9b::a00:1);

for my $where (qw(/default /private)) {
    let_in($where, "X-Real-IP: $_") for @private;
    refused($where, 'im_trusted', "X-Real-IP: $_") for @public;
    let_in($where);
}
let_in('/on', "X-Real-IP: $_") for $public[0], $private[0];
refused('/off', 'im_trusted');

subtest 'a unix socket' => sub {
    my $c = Test::IM::Conn->new(
        IO::Socket::UNIX->new(Peer => $t->dir . '/http.sock'), 10);
    is($t->post('/im/unread', { from_id => 'ann' }, conn => $c)->status, 200,
       'is private');
};

for ('8.8.8.8', '2001:db8::1') {
    my $r = $t->h2('/default/unread', { from_id => 'ann' },
                   headers => ["X-Real-IP: $_"]);
    is($r->code, 'forbidden', "$_ over HTTP/2");
}


# --- by a value

let_in('/value', "X-Level: $_") for qw(on 1);
refused('/value', 'im_trusted', "X-Level: $_")
    for '', qw(off 0 On ON yes 11 01 private true), 'on,on', 'on on';


# --- with im_user

let_in('/user', 'X-User: ann');
let_in('/user', 'X-User: ann', "X-Real-IP: $public[0]");
refused('/user', 'im_user', 'X-User:');
refused('/user', 'im_user');
is(send_as('/user', 'X-User: bob')->error,
   'from_id must be the caller\'s own id', 'another: as before');

let_in('/both', 'X-User: ann');
let_in('/both', "X-User: $_", 'X-Level: on') for 'bob', '';
let_in('/both', 'X-Level: 1');
refused('/both', 'im_user', 'X-Level: off');
is(send_as('/both', 'X-User: bob', 'X-Level: 0')->code, 'forbidden',
   'im_user where the value is not on');

let_in('/lan', 'X-User: bob', 'X-Real-IP: 10.0.0.1');
let_in('/lan', 'X-User: ann', 'X-Real-IP: 8.8.8.8');
is(send_as('/lan', 'X-User: bob', 'X-Real-IP: 8.8.8.8')->code, 'forbidden',
   'private beside im_user: others are users');
let_in('/open', 'X-User: bob');


# --- a trusted caller reads as a backend

my $conv = $t->post('/on/send/msg', \%msg)->conv_id;
is($t->post("/both/conv/$conv", {}, headers => [ 'X-Level: on',
   'X-User: eve' ])->status, 200, 'a page, without a viewer');
is($t->post("/both/conv/$conv", {}, headers => [ 'X-User: eve' ])->status
   =~ /^40[34]$/, 1, 'not for a stranger');


# --- inherited

refused('/outer/in', 'im_trusted');
let_in('/outer/on');
let_in('/outer/user', 'X-User: ann');
refused('/outer/user', 'im_user');
refused('/if', 'im_trusted', 'X-If: 1');


# --- order: 404 and 405 of the path, 400 and 413, then 403

is($t->post('/off/nosuch', {})->code, 'not_found', 'no such call');
is($t->get('/off/unread')->code, 'method_not_allowed', 'method');
is($t->post('/off/unread', '{')->code, 'bad_json', 'bad JSON');
is($t->post('/off/unread', {})->code, 'bad_request', 'a field is missing');
is($t->post('/off/unread', ' ' x 300_000)->code, 'body_too_large', 'size');
is($t->post('/off/send/msg', { %msg, msg => 'x' x 32769 })->code,
   'msg_too_long', 'length of msg');
is($t->post('/off/creat/group', { owner_id => 'ann', name => 'g',
   member => [ map { "m$_" } 1 .. 600 ] })->code, 'forbidden',
   '403 before 409');

$t->done;
done_testing;
