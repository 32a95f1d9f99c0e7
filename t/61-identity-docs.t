# The configurations of docs/identity.md: each is taken from the page, run and
# called, by the right user, in the name of another, and by nobody.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_base64);
use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);
use Test::More;

use Test::IM;

{
    package Test::IM::Page;

    our @ISA = ('Test::IM');

    sub conf { return Test::IM::slurp("$_[0]{dir}/page.conf") }
}

my $page = slurp("$Test::IM::ROOT/docs/identity.md");
my %section = $page =~ /^## (.*?)\n(.*?)(?=^## |\z)/msg;
my %done;

my %msg = (from_id => 'ann', to_id => 'bob', msg => 'x', msg_type => 0);


# a site of a section; each replacement must be needed

sub site {
    my ($title, %replace) = @_;
    my ($conf) = ($section{$title} // '') =~ /^```nginx\n(.*?)^```$/ms or die "no $title";
    $done{$title} = 1;

    my $t = Test::IM::Page->new;
    my $dir = $t->dir;
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);

    %replace = map { my $v = $replace{$_}; $v =~ s/DIR/$dir/g; ($_ => $v) } keys %replace;

    for ([ 'load_module modules/ndk_http_module.so;' => length $Test::IM::NDK ? "load_module $Test::IM::NDK;" : '' ],
         [ 'load_module modules/ngx_http_im_module.so;' => length $Test::IM::MODULE ? "load_module $Test::IM::MODULE;" : '' ],
         [ 'unix:/run/redis/redis.sock' => 'unix:' . $t->sock ],
         [ "http {\n" => "http {\n$temp access_log $dir/access.log;\n" ],
         [ "events {}\n" => ($> == 0 ? 'user root;' : '')
             . " daemon off; pid $dir/nginx.pid; error_log $dir/error.log info; lock_file $dir/lock;\nevents {}\n" ],
         ($title =~ /certificate/ ? () : [ 'listen 80;' => 'listen 127.0.0.1:' . $t->port . ';' ]),
         map { [ $_ => $replace{$_} ] } sort keys %replace)
    {
        my ($from, $to) = @$_;
        $conf =~ s/\Q$from\E/$to/ or fail("$title has no $from");
    }

    # nothing else of this machine is touched

    my @paths = $conf =~ m{[\s:](/(?:etc|var|run)/[^;\s]*)}g;
    is_deeply(\@paths, [], "$title: all paths are the test's");

    $t->write_file('page.conf', $conf);
    return $t;
}

sub as_user {
    my ($t, $name, $post) = @_;
    is($post->('im/send/msg', \%msg)->status, 200, "$name: the user");
    my $before = $t->snapshot;
    for ([ 'im/send/msg', { %msg, from_id => 'bob', to_id => 'ann' } ], [ 'im/conv/list', { from_id => 'bob' } ],
         [ 'im/creat/group', { owner_id => 'bob', name => 'g' } ], [ 'im/user/set', { users => [ { id => 'bob', name => 'x' } ] } ])
    {
        my $r = $post->(@$_);
        is($r->status . ' ' . $r->code, '403 forbidden', "$name: $_->[0] in the name of another");
    }
    is_deeply($t->snapshot, $before, "$name: does nothing");
}

sub as_nobody {
    my ($t, $name, $status, $post) = @_;
    my $before = $t->snapshot;
    for ([ 'im/send/msg', \%msg ], [ 'im/conv/list', { from_id => 'ann' } ], [ 'im/user/get', { ids => ['ann'] } ]) {
        my $r = $post->(@$_);
        is($r->status, $status, "$name: $_->[0] gets $status");
        is($r->code, 'forbidden', "$name: forbidden") if $status == 403;
    }
    is_deeply($t->snapshot, $before, "$name: does nothing");
}

sub poster {
    my ($t, %opt) = @_;
    my ($args, @headers) = ($opt{args} // '', @{ $opt{headers} || [] });
    return sub { $t->post("/$_[0]$args", $_[1], headers => [ @headers, 'X-User: bob', 'X-Im-Caller: bob' ], close => 1) };
}


# --- a backend on the same host

{
    my ($mine) = free_ports(1);
    my $title = 'A backend on the same host';
    my $t = site($title, 'listen 127.0.0.1:8080;' => "listen 127.0.0.1:$mine;",
                 'unix:/run/nginx/im.sock' => 'unix:DIR/im.sock', 'http://127.0.0.1:3000' => 'http://127.0.0.1:1');
    $t->start;
    my $c = sub { $t->connect($mine) };
    for my $user (qw(ann bob)) {
        is($t->post('/im/send/msg', { %msg, from_id => $user, to_id => 'cid' }, conn => $c->())->status, 200, "for $user");
    }
    my $unix = Test::IM::Conn->new(IO::Socket::UNIX->new(Peer => $t->dir . '/im.sock'), 10);
    is($t->post('/im/send/msg', \%msg, conn => $unix)->status, 200, 'over the socket');
    as_nobody($t, 'what users connect to', 403, poster($t));
    is($t->get('/')->status, 502, 'the application is asked');
    $t->done;
}


# --- a password

{
    my $t = site('A password: auth_basic', '/etc/nginx/im.htpasswd' => 'DIR/im.htpasswd');
    $t->write_file('im.htpasswd', "ann:{PLAIN}secret\nbob:{PLAIN}other\n");
    $t->start;
    my $with = sub { poster($t, headers => [ 'Authorization: Basic ' . encode_base64($_[0], '') ]) };
    as_user($t, 'a password', $with->('ann:secret'));
    as_nobody($t, $_, 401, $with->($_)) for 'ann:other', 'ann:', 'eve:secret', ':secret';
    as_nobody($t, 'no password', 401, poster($t));
    $t->done;
}


# --- the session, cached

{
    my ($port) = free_ports(1);
    my $t = site('The session of the application: auth_request',
                 '/var/cache/nginx/im' => 'DIR/cache', 'http://127.0.0.1:3000' => "http://127.0.0.1:$port");
    my $asked = backend($t, $port, sub {
        my ($request) = @_;
        my ($user) = $request =~ /^Cookie: (?:.*; )?session=s-(\w+)/mi;
        return (401) if !$user || $request !~ m{^GET /whoami HTTP}m || $request =~ /^Content-Length: [1-9]/mi;
        return (204, "X-User: $user");
    });
    $t->start;
    my $with = sub { poster($t, headers => ["Cookie: a=b; session=$_[0]"]) };
    as_user($t, 'a session', $with->('s-ann'));
    is($asked->(), 1, 'the application was asked once for five calls');
    my $other = $with->('s-bob')->('im/send/msg', { %msg, from_id => 'bob', to_id => 'ann' });
    is($other->status, 200, 'another session is another user');
    is($asked->(), 2, 'and asked for');
    as_nobody($t, 'a wrong session', 401, $with->('x'));
    my $n = $asked->();
    cmp_ok($n, '>=', 5, '401 is not cached');
    as_nobody($t, 'no session', 401, poster($t));
    as_nobody($t, 'an empty session', 401, $with->(''));
    is($asked->(), $n, 'and not asked for');
    is(poster($t, headers => ['Cookie: session=s-ann'])->('im/send/msg', { %msg, msg => 'x' x 30000 })->status, 200, 'with a long body');
    is($t->post('/whoami', {})->status, 404, 'the location is internal');
    $t->done;
}


# --- a token

{
    my ($port) = free_ports(1);
    my $t = site('A JSON Web Token', '/var/cache/nginx/im' => 'DIR/cache', 'http://127.0.0.1:3001' => "http://127.0.0.1:$port");
    my $secret = 'of the test';
    my $asked = backend($t, $port, sub { return check_token($secret, $_[0]) });
    $t->start;
    my $with = sub { poster($t, headers => ["Authorization: Bearer $_[0]"]) };
    my $good = token($secret, sub => 'ann', exp => time + 60);
    as_user($t, 'a token', $with->($good));
    is($asked->(), 1, 'the program was asked once for five calls');
    my ($head, $body, $sign) = split /\./, $good;
    my $bob = encode_base64url('{"sub":"bob","exp":9999999999}');
    as_nobody($t, 'expired', 401, $with->(token($secret, sub => 'ann', exp => time - 1)));
    as_nobody($t, 'of another secret', 401, $with->(token('other', sub => 'ann', exp => time + 60)));
    as_nobody($t, 'with another body', 401, $with->("$head.$bob.$sign"));
    as_nobody($t, 'alg none', 401, $with->(encode_base64url('{"alg":"none"}') . ".$body."));
    as_nobody($t, 'no subject', 401, $with->(token($secret, exp => time + 60)));
    as_nobody($t, 'no token', 401, poster($t));
    my $short = $with->(token($secret, sub => 'ann', exp => time + 2));
    is($short->('im/send/msg', \%msg)->status, 200, 'a token that expires soon');
    ok($t->poll(6, sub { $short->('im/send/msg', \%msg)->status == 401 }), 'is not cached for longer');
    $t->done;
}


# --- a certificate

SKIP: {
    my $title = 'A client certificate';
    my $tls = free_port();
    my $t = site($title, 'listen 443 ssl;' => "listen 127.0.0.1:$tls ssl;",
                 map { ("/etc/nginx/$_" => "DIR/$_") } qw(server.pem server.key im-ca.pem));
    my $dir = $t->dir;
    certificates($dir) or skip 'no certificates (package openssl)', 1;
    $t->{port} = $tls;
    $t->start;
    my $with = sub {
        my ($name) = @_;
        return sub {
            my $file = $t->write_file('tls.body', JSON::PP::encode_json($_[1]));
            my $out = $t->run('curl', '-ski', '-m', 10 * $Test::IM::SCALE, '--http1.1',
                ($name ? ('--cert', "$dir/$name.pem", '--key', "$dir/$name.key") : ()),
                '-H', 'X-User: bob', '--data-binary', "\@$file", "https://127.0.0.1:$tls/$_[0]");
            return Test::IM::Conn::parse_text($out);
        };
    };
    as_user($t, 'a certificate', $with->('ann'));
    as_user($t, 'with an organization', $with->('ann-org'));
    as_nobody($t, 'no certificate', 400, $with->(''));
    as_nobody($t, 'of another CA', 400, $with->('foreign'));
    as_nobody($t, "$_: not a name", 403, $with->($_)) for qw(inner comma);
    $t->done;
}


# --- a signed URL

{
    my $t = site('A signed URL: secure_link', '/var/log/nginx/im.log' => 'DIR/im.log')->start;
    my $sign = sub {
        my ($user, $expires, $secret) = (@_, 'a-long-secret');
        (my $md5 = md5_base64("$expires $user $secret")) =~ tr{+/}{-_};
        return "?user=$user&expires=$expires&md5=$md5";
    };
    my $good = $sign->('ann', time + 60);
    as_user($t, 'a signed URL', poster($t, args => $good));
    as_nobody($t, 'expired', 403, poster($t, args => $sign->('ann', time - 1)));
    as_nobody($t, 'of another secret', 403, poster($t, args => $sign->('ann', time + 60, 'guessed')));
    as_nobody($t, 'another user', 403, poster($t, args => $good =~ s/ann/bob/r));
    as_nobody($t, 'another time', 403, poster($t, args => $good =~ s/expires=\K\d/2/r));
    as_nobody($t, 'not signed', 403, poster($t, args => '?user=ann'));
    as_nobody($t, 'nothing', 403, poster($t));
    as_nobody($t, 'nobody signed', 403, poster($t, args => $sign->('', time + 60)));
    my ($recipe) = $section{'A signed URL: secure_link'} =~ /^(printf .*)$/m or die 'no recipe';
    my $until = time + 60;
    $recipe =~ s/1795525403/$until/ or die;
    chomp(my $md5 = `$recipe`);
    is("?user=ann&expires=$until&md5=$md5", $sign->('ann', $until), 'the recipe makes the same');
    ok($t->poll(5, sub { slurp($t->dir . '/im.log') =~ m{ /im/send/msg 200 ok$}m }), 'the log');
    unlike(slurp($t->dir . '/im.log'), qr/md5=/, 'has no signature');
    $t->done;
}

is_deeply([ sort keys %done ], [ sort grep { $section{$_} =~ /^```nginx/m } keys %section ], 'every configuration of the page was run');
is_deeply([ sort $page =~ /^- \[(.*?)\]/mg ], [ sort keys %section ], 'the contents are complete');

done_testing;


# a program behind nginx, one connection after the other; how often it was asked

sub backend {
    my ($t, $port, $answer) = @_;
    my $file = $t->write_file('asked', '');
    my $listen = IO::Socket::INET->new(Listen => 64, ReuseAddr => 1, LocalAddr => '127.0.0.1', LocalPort => $port) or die "listen: $!";
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        while (kill 0, $parent) {
            vec(my $bits = '', fileno $listen, 1) = 1;
            select($bits, undef, undef, 1) or next;
            my $c = $listen->accept or next;
            my $request = '';
            while ($request !~ /\r\n\r\n/ && sysread $c, $request, 65536, length $request) { }
            open my $fh, '>>', $file;
            print {$fh} "x";
            close $fh;
            my ($status, @headers) = $answer->($request);
            print {$c} join "\r\n", "HTTP/1.0 $status X", 'Content-Length: 0', @headers, '', '';
            close $c;
        }
        POSIX::_exit(0);
    }
    close $listen;
    $t->{backend} = Stopper->new($pid);
    return sub { return length slurp($file) };
}


sub token {
    my ($secret, %claims) = @_;
    my $text = join '.', map { encode_base64url(JSON::PP->new->canonical->encode($_)) } { alg => 'HS256', typ => 'JWT' }, \%claims;
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}


# 401, or 204 with the user and the time up to which it may be cached

sub check_token {
    my ($secret, $request) = @_;
    my ($text, $sign) = $request =~ /^Authorization: Bearer ([\w-]+\.[\w-]+)\.([\w-]+)\r$/mi or return (401);
    my ($head, $claims) = map { eval { JSON::PP::decode_json(decode_base64url($_)) } } split /\./, $text;
    return (401) if ref $head ne 'HASH' || ($head->{alg} // '') ne 'HS256' || ref $claims ne 'HASH';
    return (401) if $sign ne encode_base64url(hmac_sha256($text, $secret));
    my ($sub, $exp) = map { $_ // '' } @$claims{qw(sub exp)};
    return (401) if $sub !~ /^[\w.:@-]{1,64}\z/ || $exp !~ /^\d+\z/ || $exp <= time;
    my $until = time + 10;
    return (204, "X-User: $sub", 'X-Accel-Expires: @' . ($until < $exp ? $until : $exp));
}


sub certificates {
    my ($dir) = @_;
    my $sh = sub { system("cd $dir && ($_[0]) >>openssl.out 2>&1") == 0 };
    my $key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
    $sh->("openssl req -x509 $key -days 2 -subj /CN=$_->[0] -keyout $_->[1].key -out $_->[1].pem") or return
        for [ 'localhost', 'server' ], [ 'CA', 'im-ca' ], [ 'Other', 'other-ca' ];
    for ([ ann => '/CN=ann' ], [ 'ann-org' => '/O=Example/CN=ann' ], [ inner => '/CN=ann/O=Evil' ],
         [ comma => '/CN=x/O=y,CN=ann' ], [ foreign => '/CN=ann', 'other-ca' ])
    {
        my ($name, $subject, $ca) = (@$_, 'im-ca');
        $sh->("openssl req $key -subj '$subject' -keyout $name.key -out $name.csr && openssl x509 -req -in $name.csr -days 2"
              . " -CA $ca.pem -CAkey $ca.key -CAcreateserial -out $name.pem") or return;
    }
    return 1;
}


sub free_port { return Test::IM::free_port() }
sub free_ports { return map { Test::IM::free_port() } 1 .. $_[0] }


{
    package Stopper;
    sub new { return bless { pid => $_[1], owner => $$ }, $_[0] }
    sub DESTROY { my $s = shift; return if $s->{owner} != $$; local $?; kill TERM => $s->{pid}; waitpid $s->{pid}, 0 }
}
