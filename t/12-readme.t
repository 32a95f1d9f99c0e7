# The README and nginx.conf.example, as a stranger meets them: the example is
# loaded and serves, the curl lines of the README are run as they stand and
# answer what it says, its links lead somewhere, and it stays short.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $root = $Test::IM::ROOT;
my $readme = slurp("$root/README.md");
my $example = slurp("$root/nginx.conf.example");


# --- a site of the example, in a directory of the test

{
    package Test::IM::Example;

    our @ISA = ('Test::IM');

    sub conf { Test::IM::slurp("$_[0]{dir}/example.conf") }
}

my $support = Test::IM->new;
$support->start_redis;

my $t = Test::IM::Example->new(workers => 2);
my $tls = Test::IM::free_port();
my $cert = certificate($t->dir);

mkdir $t->dir . "/html";
$t->write_file('html/index.html', "the site\n");
$t->write_file('im.htpasswd', "CKD_P_1:{PLAIN}secret\n");
$t->write_file('im-support.password', "secret\n");

my $conf = example_conf($example);
$t->write_file('example.conf', $conf);
is($t->conf_fails, undef, 'the example is a valid configuration');

# what stands there as a variant: comments that are not "# " and a word

(my $variants = $example) =~ s/^(\s*)#(?=\S|    )/$1/mg;
cmp_ok($variants, 'ne', $example, 'the example has variants');
$t->write_file('example.conf', example_conf($variants));
is($t->conf_fails, undef, 'its variants are valid, too')
    and like($variants, qr/^\s*im_user \$remote_user;/m, 'im_user is there');

$t->write_file('example.conf', $conf);
$t->start;

is($t->get('/')->body, "the site\n", 'the site beside the API');
is($t->get('/app/')->status, 502, 'the application is asked');

my %body = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);
is($t->post('/im/send/msg', \%body)->body, '{}', 'the API');
is($t->list('bob')->[0]{unread_count}, 1, 'has stored it');

my $full = $t->post('/support/im/send/msg', \%body)->json;
is($full->{seq}, 1, 'the second store has data of its own, im_reply full');
is($t->post('/support/im/send/msg', { %body, msg => 'x' x 8193 })->code,
   'msg_too_long', 'and limits of its own');
is_deeply([ grep { !/^support:/ } @{ $support->redis('KEYS', '*') } ], [],
          'and a prefix');

SKIP: {
    skip 'no certificate (package openssl)', 1 if !$cert;
    my $out = $t->run('curl', '-sk', '-m', 10 * $Test::IM::SCALE, '--http2',
        '-w', ' %{http_version}', '-d', '{"from_id":"bob"}',
        "https://127.0.0.1:$tls/im/unread");
    is($out, '{"total":1} 2', 'over TLS and HTTP/2');
}

my $last;
for (1 .. 200) {
    $last = $t->post('/im/send/msg', { %body, to_id => 'cid' });
    last if $last->status != 200;
}
is($last->status, 429, 'the limit on writes');
is($last->code, 'too_many_requests', 'answers in JSON');
is($last->header('Retry-After'), 1, 'with Retry-After');
is($t->post('/im/unread', { from_id => 'bob' })->status, 200,
   'and leaves reads alone');

ok($t->poll(5, sub {
    slurp($t->dir . '/im.log')
        =~ m{ 200 call=send code=ok from=ann conv=[0-9a-f]{24} store=0\.\d+/3 }
}), 'the log says who did what');

$t->done;
$support->cleanup;


# --- the README

cmp_ok(lines($readme), '<=', 250, 'the README has at most 250 lines');

my $top = join "\n", (split /\n/, $readme)[0 .. 39];
like($top, qr/^$_\b/m, "$_ is near its top") for 'make run', 'make test';

for my $link ($readme =~ /\]\(([^)\s]+)\)/g) {
    next if $link =~ /^https?:/;
    my ($file, $anchor) = split /#/, $link;
    ok(-e "$root/$file", "$link leads somewhere") if length $file;
    ok((grep { $_ eq $anchor } anchors($file ? slurp("$root/$file")
                                             : $readme)),
       "$link is a heading") if defined $anchor;
}

my $site = Test::IM->new(workers => 2)->start;
my @shown = shown($readme);

cmp_ok(@shown, '>=', 5, 'five curl lines and more');

for my $shown (@shown) {
    my ($command, $answer) = @$shown;
    my ($path) = $command =~ m{:8080(\S+)};

    $command =~ s/:8080/":" . $site->port/e;
    my $m = 10 * $Test::IM::SCALE;
    my $got = $site->run('sh', '-c', "$command -m $m -w '\\n%{http_code}'");
    my $status = $got =~ s/\n(\d+)\z// ? $1 : 0;
    my $code = $answer =~ /^\{"code":"(\w+)"/ ? $1 : '';

    is($status, $code ? $STATUS{$code} : 200, "$path: status");
    is(masked($got), masked($answer), "$path: answer");
}

$site->done;

done_testing;


sub example_conf {
    my $text = shift;
    my $dir = $t->dir;
    my $version = $t->run($t->binary, '-V');
    my $ndk = $Test::IM::NDK;
    my $module = $Test::IM::MODULE;
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw(client_body proxy fastcgi uwsgi scgi);

    # one line for every place that a stranger has to look at

    for (
        [ qr/^user www-data;/m => $> == 0 ? 'user root;' : '' ],
        [ qr/^worker_processes auto;/m => 'worker_processes 2; daemon off;' ],
        [ qr/^load_module \S*ndk_http_module\.so;/m
          => length $ndk ? "load_module $ndk;" : '' ],
        [ qr/^load_module \S*ngx_http_im_module\.so;/m
          => length $module ? "load_module $module;" : '' ],
        [ qr/^pid \S+;/m => "pid $dir/nginx.pid; lock_file $dir/lock;" ],
        [ qr/^error_log \S+;/m => "error_log $dir/error.log info;" ],
        [ qr/^http \{/m => "http {\n$temp" ],
        [ qr{unix:/run/redis/redis\.sock;} => 'unix:' . $t->sock . ';' ],
        [ qr/server 127\.0\.0\.1:6380;/
          => 'server unix:' . $support->sock . ';' ],
        [ qr/listen 80;/ => 'listen 127.0.0.1:' . $t->port . ';' ],
        [ qr/listen 443 ssl http2;/
          => $cert ? "listen 127.0.0.1:$tls ssl http2;" : '' ],
        [ qr/root \S+;/ => "root $dir/html;" ],
    ) {
        my ($from, $to) = @$_;
        $text =~ s/$from/$to/ or fail("the example has no $from");
    }

    $text =~ s/^\s*ssl_certificate.*//mg if !$cert;
    $text =~ s{/etc/ssl/\S+/(example\.com\.(?:pem|key))}{$dir/$1}g;
    $text =~ s{/var/log/nginx/}{$dir/}g;
    $text =~ s{/etc/nginx/(im[\w.-]+)}{$dir/$1}g;
    $text =~ s{127\.0\.0\.1:3000}{127.0.0.1:1}g;

    return $text;
}


sub certificate {
    my $dir = shift;
    return !system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
                   . " -subj /CN=example.com -keyout $dir/example.com.key"
                   . " -out $dir/example.com.pem >$dir/openssl.out 2>&1");
}


# [ command, what stands below it ] of every console block

sub shown {
    my @all;
    for my $block ($_[0] =~ /^```console\n(.*?)^```$/msg) {
        push @all, map { [ split /\n/, $_, 2 ] }
                   grep { /^curl / } split /^\$ /m, $block;
    }
    return @all;
}


# what differs from run to run; lines of a header are compared without CR

sub masked {
    my $s = shift;
    $s =~ s/\r//g;
    $s =~ s/^Date: .*/Date: DATE/m;
    $s =~ s/^Server: .*/Server: SERVER/m;
    $s =~ s/\b(\d+)-[0-9a-f]{16}\b/$1-RANDOM/g;
    $s =~ s/\b1[0-9]{12}\b/TIME/g;
    $s =~ s/\s+\z//;
    return $s;
}


sub anchors {
    return map { my $h = lc; $h =~ s/[^\w -]//g; $h =~ s/ /-/g; $h }
           $_[0] =~ /^#+ (.*)$/mg;
}


sub lines { return scalar(my @l = split /\n/, $_[0]) }
