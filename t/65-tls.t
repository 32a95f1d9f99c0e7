# TLS to Redis: who is trusted and who is not, what is logged, large bodies in
# pieces, and servers that fail in the middle of it.  Redis has TLS for real,
# with the certificates of an authority made here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;

plan skip_all => 'no openssl' if !$ENV{CI} && !Test::IM::TLS::available();
plan skip_all => 'this Redis has no TLS'
    if `$Test::IM::REDIS --tls-port 1 --port 0 --tls-cert-file /nonexistent 2>&1`
       !~ /Failed to (?:configure|load)/;

my $scale = $Test::IM::SCALE;
my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);


# --- the stores of one nginx, and what each of them is told

my $old = Test::IM->new(tls => { expired => 1 });
$old->start_redis;

my $other = Test::IM->new(tls => { san => 'DNS:redis.example' });
$other->start_redis;

# connections that nobody answers
my $deaf = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die $!;

my $t = Test::IM->new(redis_tcp => 1, tls => 1, workers => 1);
$t->make_certificates;
$t->{ca}->issue('nginx');
my $unknown = Test::IM::TLS->new($t->dir, 'unknown');

my ($good, $trust) = ('server 127.0.0.1:{{tls_port}}', 'ssl on; ssl_trusted_certificate');
my $password = 'not-for-any-log';
my @store = (
    # name, what is in the block, the line of the error log or '' if it is served
    [ ok        => "$good; {{tls}}", '' ],
    [ named     => "server localhost:{{tls_port}}; {{tls}}", '' ],
    [ unverified => "$good; ssl on; ssl_verify off;", '' ],
    [ of_unknown => "$good; ssl on; ssl_verify off; ssl_trusted_certificate {{dir}}/unknown.pem;", '' ],
    [ client    => "$good; {{tls}} ssl_certificate {{dir}}/nginx.pem; ssl_certificate_key {{dir}}/nginx.key;", '' ],
    [ example   => "server 127.0.0.1:${\ $other->tls_port}; $trust ${\ $other->dir}/ca.pem; ssl_name redis.example;", '' ],
    [ no_example => "server 127.0.0.1:${\ $other->tls_port}; $trust ${\ $other->dir}/ca.pem;",
      qr/its certificate is for another name: "127\.0\.0\.1:\d+"/ ],
    [ wrong     => "$good; {{tls}} ssl_name redis.example;",
      qr/its certificate is for another name: "redis\.example"/ ],
    [ unknown   => "$good; password $password; $trust {{dir}}/unknown.pem;",
      qr/its certificate is not valid: "(?:unable to get local issuer|self-signed certificate in certificate chain)/ ],
    [ of_system => "$good; ssl on;", qr/its certificate is not valid: "/ ],
    [ expired   => "server 127.0.0.1:${\ $old->tls_port}; $trust ${\ $old->dir}/ca.pem;",
      qr/its certificate is not valid: "certificate has expired"/ ],
    [ plain     => "server 127.0.0.1:{{redis_port}}; password $password; {{tls}}",
      qr/TLS handshake (?:failed|timed out)/ ],
    [ no_tls    => "$good; password $password;", qr/lost the connection|could not connect/ ],
    [ deaf      => "server 127.0.0.1:${\ $deaf->sockport}; {{tls}}", qr/TLS handshake timed out/ ],
);

for (@store) {
    my ($name, $block) = @$_;
    $t->{conf_http} .= "im_redis $name { $block connect_timeout " . ms(700)
                     . "; timeout " . ms(1500) . "; }\n";
    $t->{conf_server} .= "location /$name/ { im_pass $name; }\n";
}
$t->{store} = 'server unix:{{sock}};';
$t->start;

for (@store) {
    my ($name, undef, $like) = @$_;
    my $start = time;
    my $r;
    if ($like eq '') {
        ok($t->poll(6, sub { ($r = $t->post("/$name/send/msg", \%send))->status == 200 }), "$name: served")
            or diag($r->body);
        next;
    }
    is(($r = $t->post("/$name/send/msg", \%send))->code, 'store_unavailable', "$name: refused");
    cmp_ok(time - $start, '<', 1.7 * $scale + 1, "$name: within the deadline");
    is($t->post("/ok/unread", { from_id => 'bob' })->status, 200, "$name: others are served");
    my @lines;
    ok($t->poll(5, sub { @lines = grep { /store "$name"/ && /\[error\]/ } split /\n/, $t->error_log }),
       "$name: logged");
    like(join("\n", @lines), $like, "$name: why");
    cmp_ok(@lines, '<=', 2 + 2 * (time - $start), "$name: and not for every attempt")
        or diag(join "\n", @lines);
}
unlike($t->error_log, qr/$password/, 'no password in the log');
like($t->error_log, qr/"plain": could not connect to [\d.:]+: TLS handshake.*wrong version number/,
     'with the words of OpenSSL') if $t->error_log =~ /"plain".*handshake failed/;

# the stores are the same data
is(scalar @{ $t->page($t->post('/ok/send/msg', \%send)->conv_id, page_size => 50) }, 6, 'all of one store');


# --- large bodies, both ways, and many at a time

{
    my @text = map { chr(97 + $_ % 26) x 32_000 } 1 .. 40;
    my $conv;
    $conv = $t->post('/ok/send/msg', { %send, to_id => 'eve', msg => $_ })->conv_id for @text;
    my @got = map { @{ $t->post("/ok/conv/$conv", { page_no => $_, page_size => 20 })->json } } 1, 2;
    ok(join(' ', sort map { $_->{msg} } @got) eq join(' ', sort @text), 'pages of 640 kB');

    my @conn = map { $t->connect } 1 .. 24;
    for my $i (0 .. $#conn) {
        $conn[$i]->send(bytes('/ok/send/msg', { %send, from_id => "u$i", msg => "$i " . 'x' x 30_000 }));
    }
    is_deeply([ map { $_->read_response->status } @conn ], [ (200) x @conn ], 'many sends at a time');
}


# --- what breaks

sub served { my $s = shift; return $t->poll(6, sub { $t->post("/$s/send/msg", \%send)->status == 200 }) }

$t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
ok(served('ok'), 'Redis closes its connections: opened again');

$t->stop_redis('KILL');
ok($t->poll(5, sub { $t->post('/ok/send/msg', \%send)->code eq 'store_unavailable' }), 'Redis is killed');
$t->start_redis;
ok(served('ok'), 'and is back');

# a certificate that is replaced: of an unknown authority, then of ours again
$unknown->issue('evil');
sub certificate {
    $t->redis(qw(CONFIG SET tls-cert-file), "$t->{dir}/$_[0].pem", 'tls-key-file', "$t->{dir}/$_[0].key");
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
}
certificate('evil');
ok($t->poll(5, sub { $t->post('/ok/send/msg', \%send)->code eq 'store_unavailable' }), 'an impostor is not used');
certificate('redis');
ok(served('ok'), 'Redis itself is');

# a client certificate is required
$t->redis(qw(CONFIG SET tls-auth-clients yes));
$t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
ok($t->poll(5, sub { $t->post('/ok/send/msg', \%send)->code eq 'store_unavailable' }), 'without a client certificate');
ok(served('client'), 'with one');
ok($t->poll(4, sub { $t->error_log =~ /store "ok": could not connect to .*certificate required/ }),
   'logged in the words of OpenSSL');
$t->redis(qw(CONFIG SET tls-auth-clients no));
ok(served('ok'), 'no longer required');

ok($t->reload, 'reload');
ok(served('ok'), 'served by the new worker');

{
    my %n;
    $n{$_}++ for $t->error_log =~ /store "(\w+)": could not connect/g;
    cmp_ok($n{$_}, '<', 60, "$_: log lines are limited") for sort keys %n;
}

$t->done;
close $deaf;


# --- the authorities of the system; bytes in small pieces

{
    my $s = Test::IM->new(tls => 1, workers => 1);
    $s->make_certificates;
    my ($port, $pid) = relay($s->tls_port);
    $s->{store} = "server 127.0.0.1:$port; ssl on; timeout " . ms(5000) . ';';
    local $ENV{SSL_CERT_FILE} = "$s->{dir}/ca.pem";
    $s->start;
    my $conv;
    ok($s->poll(8, sub { ($conv = $s->post('/im/send/msg', { %send, msg => 'y' x 8000 })->conv_id) }),
       'an authority that the system trusts, in small pieces');
    is(length $s->page($conv)->[0]{msg}, 8000, 'a page in small pieces');
    $s->done;
    kill KILL => $pid;
    waitpid $pid, 0;
}


# --- configurations

{
    my $c = Test::IM->new(redis => 0);
    Test::IM::TLS->new($c->dir);
    my %refused = (
        'server unix:/x; ssl on;'                           => qr/unix socket/,
        'server 127.0.0.1:1; ssl maybe;'                    => qr/invalid value "maybe"/,
        'server 127.0.0.1:1; ssl on; ssl on;'               => qr/"ssl" is duplicate/,
        'server 127.0.0.1:1; ssl on; ssl_trusted_certificate {{dir}}/none;' => qr/none/,
        'server 127.0.0.1:1; ssl on; ssl_certificate {{dir}}/ca.pem;' => qr/ssl_certificate_key/,
        'server 127.0.0.1:1; ssl on; ssl_certificate_key {{dir}}/ca.key;' => qr/only one of "ssl_certificate"/,
        'server 127.0.0.1:1; ssl on; ssl_certificate {{dir}}/ca.pem; ssl_certificate_key {{dir}}/ca.pem;' => qr/PEM|key/,
    );
    for (sort keys %refused) {
        like($c->conf_fails(store => $_) // 'accepted', $refused{$_}, "refused: $_");
    }
    is($c->conf_fails(store => $_), undef, "accepted: $_") or diag($c->{check_output})
        for 'server unix:/x; ssl off; ssl_name x; ssl_verify off;',
            'server 127.0.0.1:1; ssl on; ssl_certificate {{dir}}/ca.pem; ssl_certificate_key {{dir}}/ca.key;',
            'ssl_trusted_certificate ca.pem; ssl on; server 127.0.0.1:1;';
    $c->cleanup;
}

$_->cleanup for $old, $other;

done_testing;


# a port that leads to another one, a few bytes at a time

sub relay {
    my ($to) = @_;
    my $l = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die $!;
    my $pid = fork // die $!;
    return ($l->sockport, $pid) if $pid;

    my $sel = IO::Select->new($l);
    my (%peer, $n);
    while (1) {
        for my $s ($sel->can_read) {
            if ($s == $l) {
                my $c = $l->accept or next;
                my $u = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to) or die $!;
                $sel->add($c, $u);
                @peer{$c, $u} = ($u, $c);
                next;
            }
            my $o = $peer{$s} or next;
            if (!sysread $s, my $b, 1 + $n++ % 700) {
                $sel->remove($s, $o);
                delete @peer{$s, $o};
                close $_ for $s, $o;
            } else {
                $o->syswrite($b);
            }
        }
    }
}
