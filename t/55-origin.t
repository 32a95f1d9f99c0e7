# A page of another site can send a POST with a user's cookie: where im_user
# is in force, its Origin must be this host or listed in im_origin.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_im => 'im_user $http_x_user;',
    conf_server => <<'CONF',
        location /listed/ {
            im_pass store;
            im_user ann;
            im_origin https://App.example http://b.example:8080
                      capacitor://localhost http://[2001:DB8::1];
        }
        location /same/ { im_pass store; im_user ann; im_origin same; }
        location /any/ { im_pass store; im_user ann; im_origin any; }
        location /null/ { im_pass store; im_user ann; im_origin null; }
        location /backend/ { im_pass store; }
        location /both/ {
            im_pass store;
            im_user ann;
            im_trusted $http_x_trusted;
        }
        location /outer/ {
            im_origin https://outer.example;
            location /outer/in/ { im_pass store; im_user ann; }
            location /outer/same/ {
                im_pass store;
                im_user ann;
                im_origin same;
            }
        }
CONF
)->start;

my $n = 0;

# a send with these headers, Host included
sub sent {
    my ($where, @headers) = @_;
    my $json = '{"from_id":"ann","to_id":"bob","msg":"x","msg_type":0}';
    unshift @headers, 'Host: im.example' if !grep { /^Host:/i } @headers;
    return $t->request(join "\r\n", "POST $where/send/msg HTTP/1.1",
        'Content-Length: ' . length $json, 'Content-Type: text/plain',
        'X-User: ann', 'Connection: close', @headers, '', $json);
}

sub allowed {
    my $r = sent(@_);
    is($r->status, 200, "@_: allowed") or diag($r->body);
}

sub refused {
    my $before = $t->snapshot;
    my $r = sent(@_);
    is($r->code, 'forbidden', "@_: refused");
    like($r->error, qr/\bim_origin\b/, 'names im_origin');
    is_deeply($t->snapshot, $before, 'nothing was done') if $n++ % 8 == 0;
}


for my $where (qw(/im /same)) {
    allowed($where);
    allowed($where, "Origin: $_") for qw(http://im.example
        http://im.example:80 HTTP://IM.EXAMPLE http://Im.Example);
    refused($where, "Origin: $_") for qw(http://evil.example
        https://im.example http://im.example:8080 http://im.example.evil
        http://evilim.example http://im.example@evil.example
        http://im.example/ ftp://im.example null im.example //im.example
        http:// http://im.example:80x http://im.example:180 *), '',
        'http://im.example http://evil.example', 'http://im.example,x';
}

# the port and the case of Host; IPv6
allowed('/im', 'Host: IM.example:8080', 'Origin: http://im.example:8080');
allowed('/im', 'Host: im.example:80', 'Origin: http://im.example');
refused('/im', 'Host: im.example:8080', 'Origin: http://im.example');
allowed('/im', 'Host: [::1]:81', 'Origin: http://[::1]:81');
refused('/im', 'Host: [::1]:81', 'Origin: http://[::1]');

# behind a proxy that ends TLS
allowed('/im', "X-Forwarded-Proto: $_", 'Origin: https://im.example')
    for qw(https HTTPS);
allowed('/im', 'X-Forwarded-Proto: https', 'Host: im.example',
        'Origin: https://im.example:443');
refused('/im', 'X-Forwarded-Proto: https', 'Origin: http://im.example');
refused('/im', 'X-Forwarded-Proto: https', 'Origin: https://evil.example');
refused('/im', "X-Forwarded-Proto: $_", 'Origin: https://im.example')
    for 'http', 'https x', '';

# several
refused('/im', 'Origin: http://im.example', 'Origin: http://evil.example');
refused('/im', 'Origin: http://evil.example', 'Origin: http://im.example');

# listed
allowed('/listed', "Origin: $_") for qw(https://app.example
    https://APP.example:443 http://b.example:8080 capacitor://localhost
    http://[2001:db8::1] http://im.example);
refused('/listed', "Origin: $_") for qw(http://app.example
    https://app.example:8443 http://b.example https://b.example:8080
    http://localhost capacitor://localhost:80 https://sub.app.example
    https://app.example.evil null https://evil.example);
allowed('/null', "Origin: $_") for 'null', 'http://im.example';
refused('/null', "Origin: $_") for 'NULL', 'http://evil.example', '';
allowed('/any', "Origin: $_") for 'http://evil.example', 'null', '', 'x';
allowed('/outer/in', 'Origin: https://outer.example');
refused('/outer/same', 'Origin: https://outer.example');

# backends
allowed('/backend', 'Origin: http://evil.example');
allowed('/both', 'X-Trusted: on', 'Origin: http://evil.example');
refused('/both', 'Origin: http://evil.example');


# --- HTTP/1.0 without Host, and HTTP/2

my $json = '{"from_id":"ann"}';
my $c = $t->connect;
$c->send("POST /im/unread HTTP/1.0\r\nX-User: ann\r\nOrigin: http://x\r\n"
         . "Content-Length: 17\r\n\r\n$json");
is($c->read_response->code, 'forbidden', 'no Host, but an Origin');

my $host = '127.0.0.1:' . $t->h2_port;
for (["http://$host", 200], ['http://127.0.0.1', 403], ["https://$host", 403],
     ['http://evil.example', 403]) {
    my ($origin, $status) = @$_;
    is($t->h2('/im/unread', $json, headers => ['X-User: ann',
       "Origin: $origin"])->status, $status, "HTTP/2, $origin: $status");
}


# --- every call, and after 400

for (['conv/list', { from_id => 'ann' }], ['unread', { from_id => 'ann' }],
     ['user/get', { ids => ['ann'] }], ['conv/x', {}],
     ['creat/group', { owner_id => 'ann', name => 'g' }],
     ['user/set', { users => [{ id => 'ann', name => 'A' }] }]) {
    is($t->post("/im/$_->[0]", $_->[1], headers => ['X-User: ann',
       'Origin: http://evil.example'])->code, 'forbidden', $_->[0]);
}
is($t->post('/im/unread', {}, headers => ['X-User: ann',
   'Origin: http://evil.example'])->code, 'bad_request', '400 comes first');

$t->done;
done_testing;
