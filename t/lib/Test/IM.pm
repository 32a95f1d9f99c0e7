package Test::IM;

# One object is one private site: a temporary directory, a redis-server on a
# unix socket and an nginx on free ports of 127.0.0.1.
#
#     my $t = Test::IM->new(workers => 2, conf_im => 'im_reply full;')->start;
#     my $r = $t->post('/im/send/msg', { from_id => 'a', to_id => 'b', ... });
#     is($r->status, 200);
#     $t->done;
#
# new() takes: cluster (1: a Redis Cluster, or its options; also with IM_CLUSTER
# in the environment, unless it has options of a single Redis, or one => 'why'),
# workers, conf_main, conf_http, conf_server, conf_im (inside
# `location /im/`), store (body of the im_redis block), redis (0: none),
# redis_args, redis_tcp (1: also listen on $t->redis_port), tls (1: also listen
# with TLS on $t->tls_port, or what issue() of Test::IM::TLS takes),
# modules_before, modules_after (files to load around the module),
# worker_connections, log_format.  In all texts {{dir}}, {{sock}}, {{port}},
# {{h2_port}}, {{redis_port}}, {{tls_port}} and {{tls}} (directives for the
# authority of the tests) are filled in.
#
# Every response of a location that has im_pass is checked against
# docs/openapi.yaml.
#
# Environment: IM_NGINX, IM_MODULE, IM_NDK ('' for one that is built in),
# IM_REDIS_SERVER (the store's program), IM_TLS (1: nginx uses TLS where a test
# has "server unix:{{sock}};"), IM_SENTINEL (1: a Sentinel in the same way), IM_DEBUG, IM_VALGRIND, IM_KEEP (leave
# the directory), IM_SCALE (stretch all deadlines), IM_OPENAPI (0: responses
# are not checked).

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Scalar::Util qw(weaken);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM::Blocks;
use Test::IM::Calls;
use Test::IM::Cluster;
use Test::IM::Conn;
use Test::IM::OpenAPI;
use Test::IM::Sentinel;
use Test::IM::TLS;

use parent -norequire, 'Test::IM::Calls';

our @EXPORT = qw(run_blocks wait_for slurp body bytes fresh ms plain_only %STATUS);

our $ROOT  = abs_path(dirname(__FILE__) . '/../../..');
our $NDK   = $ENV{IM_NDK} // '/usr/lib/nginx/modules/ndk_http_module.so';
our $REDIS = $ENV{IM_REDIS_SERVER} || 'redis-server';
our $SCALE = $ENV{IM_SCALE} || ($ENV{IM_VALGRIND} ? 8 : 1);

# HTTP status of every error code
our %STATUS = %Test::IM::Blocks::STATUS;

# '' where it is built in
our $MODULE = $ENV{IM_MODULE} // "$ROOT/build/ngx_http_im_module.so";
$MODULE = abs_path($MODULE) // $MODULE if length $MODULE;

my %live;           # objects to clean up, whatever happens
my $encoder = JSON::PP->new->utf8->canonical->allow_nonref;

$SIG{PIPE} = 'IGNORE';
$SIG{$_} //= sub { exit 1 } for qw(INT TERM HUP);

END { my $rc = $?; $_ && $_->cleanup for values %live; $? = $rc }


sub new {
    my ($class, %opt) = @_;
    my $self = bless { workers => 1, redis => 1, %opt, owner => $$ }, $class;

    $self->{dir} = File::Temp::tempdir('im-test-XXXXXXXX', TMPDIR => 1);
    $self->{sock} = "$self->{dir}/redis.sock";
    $self->{$_} = free_port() for qw(port h2_port);
    $self->{cluster} //= $ENV{IM_CLUSTER} && $self->{redis}
        && !$self->needs_one(%opt);
    $self->{cluster} &&= Test::IM::Cluster->new($self,
        ref $self->{cluster} ? %{ $self->{cluster} } : ());

    my $one = $self->{redis} && !$self->{cluster};
    $self->{sentinel} //= $ENV{IM_SENTINEL} && $one;
    $self->{redis_port} = free_port() if $self->{redis_tcp} || $self->{sentinel};
    $self->{sentinel_port} = free_port() if $self->{sentinel};
    $self->{tls} //= $ENV{IM_TLS} && $one;
    $self->{tls_port} = free_port() if $self->{tls};
    $self->{store} //= 'server unix:{{sock}};';
    $live{$self->{dir}} = $self;

    return $self;
}


# With IM_CLUSTER: does this site need a single Redis?  A file that begins with
# such a one is skipped.

sub needs_one {
    my ($self, %opt) = @_;
    my @why = grep { exists $opt{$_} } qw(one redis_args redis_tcp);
    push @why, 'store' if ($opt{store} // '{{sock}}') !~ /\{\{sock\}\}/;
    plan(skip_all => 'needs a single Redis, not a cluster: '
         . ($opt{one} || "@why"))
        if @why && !Test::More->builder->current_test;
    return @why;
}


# the same store in the configuration of another site

sub servers {
    my $self = shift;
    return $self->{cluster} ? $self->{cluster}->store
                            : "server unix:$self->{sock};";
}


sub dir        { $_[0]{dir} }
sub sock       { $_[0]{sock} }
sub cluster    { $_[0]{cluster} }
sub port       { $_[0]{port} }
sub h2_port    { $_[0]{h2_port} }
sub redis_port { $_[0]{redis_port} }
sub tls_port   { $_[0]{tls_port} }
sub master_pid { $_[0]{nginx} }
sub error_log  { slurp("$_[0]{dir}/error.log") }
sub access_log { slurp("$_[0]{dir}/access.log") }


sub start {
    my $self = shift;

    # not within a time that a test measures
    Test::IM::OpenAPI::load() if $Test::IM::OpenAPI::ON;

    $self->make_certificates if $self->{tls};
    $self->start_redis if $self->{redis};
    my $conf = $self->write_file('nginx.conf', $self->conf);

    my @cmd = ($self->binary, '-p', $self->{dir}, '-c', $conf,
               '-e', "$self->{dir}/error.log");

    if ($ENV{IM_VALGRIND}) {
        my $supp = "$ROOT/t/valgrind.suppress";
        unshift @cmd, qw(valgrind -q --keep-debuginfo=yes --leak-check=full
            --show-leak-kinds=definite --errors-for-leak-kinds=definite),
            "--log-file=$self->{dir}/valgrind.%p",
            (-e $supp ? "--suppressions=$supp" : ());
    }

    $self->{nginx} = $self->spawn('nginx.out', @cmd);

    $self->poll(60, sub {
        $self->running($self->{nginx}) or croak 'nginx did not start, status '
            . "$self->{status}{$self->{nginx}}: "
            . slurp("$self->{dir}/nginx.out") . $self->error_log;
        my $s = $self->tcp($self->{port}) or return;
        return $self->worker_pids == $self->{workers};
    }) or croak "nginx did not listen: " . $self->error_log;

    # a call that comes before a Sentinel was asked may be refused

    if ($ENV{IM_SENTINEL} && $self->{sentinel} && slurp($conf) =~ /sentinel mymaster/) {
        $self->poll(10, sub { (() = $self->error_log =~ / tells that the master /g) >= $self->{workers} });
        sleep 0.3;
    }

    return $self;
}


# the configuration file; %over replaces what new() was given

sub conf {
    my ($self, %over) = @_;
    my %o = (%$self, %over);
    my $level = $ENV{IM_DEBUG} ? 'debug' : 'info';

    croak "the module is not built, run make first"
        if length $MODULE && !-e $MODULE;

    my @load = grep { length } $NDK, @{ $o{modules_before} || [] }, $MODULE,
               @{ $o{modules_after} || [] };
    my $load = join "\n", map { "load_module $_;" } @load;
    my $user = $> == 0 ? 'user root;' : '';
    my $temp = join "\n    ", map { "${_}_temp_path {{dir}}/$_;" }
               qw(client_body proxy fastcgi uwsgi scgi);
    my $store = length $o{store} ? "im_redis store {\n$o{store}\n    }" : '';
    my $im = exists $o{location} ? $o{location} : <<"IM";
        location /im/ {
            im_pass store;
@{[ $o{conf_im} // '' ]}
        }
IM
    my $format = $o{log_format} // '$request $status $body_bytes_sent';

    my $text = <<"CONF";
$load
$user
daemon off;
worker_processes $o{workers};
pid {{dir}}/nginx.pid;
lock_file {{dir}}/nginx.lock;
error_log {{dir}}/error.log $level;
@{[ $o{conf_main} // '' ]}
events { worker_connections @{[ $o{worker_connections} || 512 ]}; }
http {
    $temp
    log_format im '$format';
    access_log {{dir}}/access.log im;
    keepalive_requests 100000;
    $store
@{[ $o{conf_http} // '' ]}
    server {
        listen 127.0.0.1:{{port}};
        listen 127.0.0.1:{{h2_port}} http2;
$im
@{[ $o{conf_server} // '' ]}
        location = /site { return 200 "site\\n"; }
    }
}
CONF
    if ($self->{cluster} && $self->{cluster}->nodes) {
        my $servers = $self->servers;
        $text =~ s/server unix:\{\{sock\}\};/$servers/g;
    }
    $text =~ s/server unix:\{\{sock\}\};/server 127.0.0.1:{{tls_port}}; {{tls}}/g
        if $ENV{IM_TLS} && $o{tls};
    $text =~ s/server unix:\{\{sock\}\};/server 127.0.0.1:{{sentinel_port}}; sentinel mymaster;/g
        if $ENV{IM_SENTINEL} && $o{sentinel};
    $o{tls} = "ssl on; ssl_trusted_certificate $o{dir}/ca.pem;";
    $text =~ s/\{\{(dir|sock|port|h2_port|redis_port|sentinel_port|tls_port|tls)\}\}/$o{$1}/g;
    return $text;
}


# What nginx -t says of a configuration it refuses, undef if it accepts it.

sub conf_fails {
    my ($self, %over) = @_;
    my $file = $self->write_file('check.conf', $self->conf(%over));
    $self->make_certificates if $self->{tls};
    my $out = $self->run($self->binary, '-t', '-p', $self->{dir}, '-c', $file,
                         '-e', "$self->{dir}/check.log");
    $self->{check_output} = $out;
    return $? ? $out : undef;
}


sub binary { $ENV{IM_NGINX} || '/usr/sbin/nginx' }


# waits for the new workers and, unless overlap => 1, for the old ones to go

sub reload {
    my ($self, %opt) = @_;
    my %old = map { $_ => 1 } $self->worker_pids;
    delete $self->{im_locations};
    kill HUP => $self->{nginx};
    return $self->poll(60, sub {
        my @now = $self->worker_pids;
        my $new = grep { !$old{$_} } @now;
        return $new == $self->{workers} && ($opt{overlap} || @now == $new);
    }) || croak "workers did not change after HUP: " . $self->error_log;
}


sub worker_pids {
    my $self = shift;
    my $master = $self->{nginx};
    return grep { slurp("/proc/$_/cmdline") !~ /^nginx: cache / }
           split ' ', slurp("/proc/$master/task/$master/children");
}


# --- HTTP

# a new connection, for what post() cannot say: torn, pipelined, aborted
sub connect {
    my ($self, $port) = @_;
    my $s = $self->tcp($port || $self->{port}) or croak "connect: $!";
    weaken($self);
    return Test::IM::Conn->new($s, 30 * $SCALE,
                               sub { $self && $self->response_check(@_) });
}


# A response that docs/openapi.yaml does not allow fails the test at once; one
# that a child got, when the site ends.

sub response_check {
    my ($self, $request, $r) = @_;
    return if !$Test::IM::OpenAPI::ON;

    my $path = $request->{path};
    my ($prefix) = grep { m{/\z} ? index($path, $_) == 0 : $path =~ m{^\Q$_\E/} }
                   $self->im_locations or return;
    my @errors = Test::IM::OpenAPI::errors(
        { %$request, path => substr $path, length $prefix }, $r) or return;
    my $text = join "\n",
        "$request->{method} $path " . substr($request->{body} // '', 0, 300),
        $r->status . ' ' . substr($r->body, 0, 300),
        map({ "- $_" } splice @errors, 0, 10), '';

    if ($$ == $self->{owner}) {
        local $Test::Builder::Level = $Test::Builder::Level + 4;
        fail('the response is as in docs/openapi.yaml');
        diag($text);
        return;
    }

    open my $fh, '>>', "$self->{dir}/openapi" or croak "openapi: $!";
    print {$fh} $text;
    close $fh;
}


# prefixes of the locations with im_pass, the longest first

sub im_locations {
    my $self = shift;
    $self->{im_locations} ||= [ sort { length $b <=> length $a }
        do {
            my $conf = slurp("$self->{dir}/nginx.conf");
            my $block = qr/(\{(?:[^{}]++|(?1))*\})/;
            my @found;
            while ($conf =~ /location\s+(?:\^~\s+)?(\/\S*)\s*(?=\{)/g) {
                my $prefix = $1;
                push @found, $prefix
                    if $conf =~ /\G$block/ && $1 =~ /\bim_pass\b/;
            }
            @found;
        } ];
    return @{ $self->{im_locations} };
}


# --- what requests are made of

# a message, as /im/send/msg takes it
sub body {
    my ($from, $to, $msg, %more) = @_;
    return { from_id => $from, to_id => $to, msg => $msg, msg_type => 0, %more };
}

# a POST as it goes over the wire
sub bytes {
    my ($path, $data, @headers) = @_;
    my $json = ref $data ? $encoder->encode($data) : $data;
    return join "\r\n", "POST $path HTTP/1.1", 'Host: x', 'Content-Length: ' . length $json,
        @headers, '', $json;
}

# two users nobody has heard of
my $fresh = 'u0000';
sub fresh { return ($fresh++, $fresh++) }

# a time of a configuration; longer under a sanitizer or valgrind
sub ms { return $_[0] * $SCALE . 'ms' }


# %opt: method, headers => [ 'Name: value', ... ], conn, close
sub post {
    my ($self, $path, $data, %opt) = @_;
    my $body = ref $data ? $encoder->encode($data) : $data // '';
    my $text = join "\r\n", ($opt{method} || 'POST') . " $path HTTP/1.1",
        'Host: localhost', 'Content-Length: ' . length $body,
        ($opt{close} ? 'Connection: close' : ()), @{ $opt{headers} || [] },
        '', $body;
    my $conn = $opt{conn} || ($opt{close} ? $self->connect : $self->kept);

    $conn->send($text);
    my $r = $conn->read_response;

    return $r;
}


sub get {
    my ($self, $path, %opt) = @_;
    return $self->request(join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
        'Connection: close', @{ $opt{headers} || [] }, '', '');
}


# raw bytes on a connection of their own
sub request {
    my ($self, $bytes) = @_;
    my $conn = $self->connect;
    $conn->send($bytes);
    return $conn->read_response;
}


# HTTP/2 through curl; length => 0 sends no content-length
sub h2 {
    my ($self, $path, $data, %opt) = @_;
    my $body = ref $data ? $encoder->encode($data) : $data // '';
    my $file = $self->write_file('h2.body', $body);
    my @send = !defined $data         ? ('-X', $opt{method} || 'POST')
             : ($opt{length} // 1)    ? ('--data-binary', "\@$file")
             :                          ('-X', 'POST', '-T', '-');
    my $out = $self->run('sh', '-c', 'exec "$@" <' . $file, 'sh', 'curl',
        '-sS', '-i', '--http2-prior-knowledge', '-m', 10 * $SCALE, @send,
        (map { ('-H', $_) } @{ $opt{headers} || [] }),
        "http://127.0.0.1:$self->{h2_port}$path");
    my $r = Test::IM::Conn::parse_text($out);
    $self->response_check({ method => $opt{method} || 'POST', path => $path,
        body => defined $data ? $body : '' }, $r) if $r->status;
    return $r;
}


sub kept {      # the kept-alive connection of this process
    my $self = shift;
    delete $self->{conn} if $self->{conn}
        && ($self->{conn_pid} != $$ || $self->{conn}->stale);
    $self->{conn_pid} = $$;
    return $self->{conn} ||= $self->connect;
}


# --- Redis

sub start_redis {
    my $self = shift;

    if ($self->{cluster}) {
        return $self->{cluster}->restart if $self->{cluster}->nodes;
        $self->{cluster}->start;
        return;
    }

    $self->{redis_pid} = $self->spawn('redis.out', $REDIS,
        '--port', $self->{redis_port} || 0, '--bind', '127.0.0.1',
        '--unixsocket', $self->{sock}, '--dir', $self->{dir},
        '--save', '', '--appendonly', 'no', $self->tls_args,
        @{ $self->{redis_args} || [] });
    $self->poll(60, sub { IO::Socket::UNIX->new(Peer => $self->{sock}) })
        or croak "$REDIS did not start: "
            . slurp("$self->{dir}/redis.out");
    $self->{watch} ||= Test::IM::Sentinel->new(dir => $self->{dir}, master => $self->{redis_port},
        ports => [ $self->{sentinel_port} ]) if $self->{sentinel};
    return $self->{redis_pid};
}


sub make_certificates {
    my $self = shift;
    return $self->{ca} if $self->{ca};
    $self->{ca} = Test::IM::TLS->new($self->{dir});
    $self->{ca}->issue('redis', ref $self->{tls} ? %{ $self->{tls} } : ());
    return $self->{ca};
}


sub tls_args {
    my $self = shift;
    return if !$self->{tls};
    $self->make_certificates;
    return ('--tls-port', $self->{tls_port}, '--tls-auth-clients', 'no',
            map { ("--tls-$_->[0]-file", "$self->{dir}/$_->[1]") }
                [ cert => 'redis.pem' ], [ key => 'redis.key' ],
                [ 'ca-cert' => 'ca.pem' ]);
}


sub stop_redis {
    my ($self, $signal) = @_;
    return $self->{cluster}->stop($signal) if $self->{cluster};
    my $pid = delete $self->{redis_pid} or return;
    delete $self->{resp};
    kill CONT => $pid if !$signal;
    kill $signal || 'TERM', $pid;
    $self->poll(60, sub { !$self->running($pid) }) or croak 'redis stays';
    unlink $self->{sock};
}


sub signal_redis {
    my ($self, $signal) = @_;
    kill $signal, $self->{cluster} ? $self->{cluster}->pids
                                   : $self->{redis_pid};
}


# reply of one command: string, number, array reference or undef; dies on -ERR
sub redis {
    my ($self, @cmd) = @_;
    return $self->{cluster}->redis(@cmd) if $self->{cluster};
    delete $self->{resp} if $self->{resp} && $self->{resp_pid} != $$;
    $self->{resp_pid} = $$;
    my $c = $self->{resp} ||= Test::IM::Conn->new(
        IO::Socket::UNIX->new(Peer => $self->{sock}) || croak("redis: $!"),
        30 * $SCALE);
    $c->send(join '', '*' . @cmd . "\r\n",
             map { '$' . length($_) . "\r\n$_\r\n" } @cmd);
    return $c->read_reply;
}


# Every key with its content in an order of its own and its time to live, so
# that two snapshots are equal if and only if nothing was written.

sub snapshot {
    my $self = shift;
    my %all;
    for my $key (@{ $self->redis('KEYS', '*') }) {
        my $type = $self->redis('TYPE', $key);
        my $v = $type eq 'hash' ? pairs(@{ $self->redis('HGETALL', $key) })
              : $type eq 'set'  ? [ sort @{ $self->redis('SMEMBERS', $key) } ]
              : $type eq 'zset' ? $self->redis('ZRANGE', $key, 0, -1,
                                               'WITHSCORES')
              : $type eq 'list' ? $self->redis('LRANGE', $key, 0, -1)
              :                   $self->redis('DUMP', $key);
        my $ends = eval { $self->redis('PEXPIRETIME', $key) }   # since 7.0
                   // $self->redis('PTTL', $key);
        $all{$key} = [ $type, $ends, $v ];
    }
    return \%all;
}


sub pairs { my %h = @_; return [ map { ($_, $h{$_}) } sort keys %h ] }


# --- the end

# $ignore: a pattern for lines of the error log that the test provoked
sub done {
    my ($self, $ignore) = @_;
    my $limit = 5 * $SCALE;

    delete $self->{conn};
    if (my $text = slurp("$self->{dir}/openapi")) {
        fail('responses to children are as in docs/openapi.yaml');
        diag($text);
    }
    if (my $pid = $self->{nginx}) {
        kill QUIT => $pid;
        my $left = $self->poll($limit, sub { !$self->running($pid) });
        ok($left, "nginx leaves within $limit s of QUIT") or kill KILL => -$pid;
        is($self->{status}{$pid}, 0, 'with status 0') if $left;
        ok($self->poll(2, sub { !kill 0, -$pid }), 'and leaves no process')
            or kill KILL => -$pid;
        delete $self->{nginx};
    }

    my @bad = grep { /\[(?:alert|emerg|crit)\]|Sanitizer|runtime error:/
                     && !($ignore && /$ignore/) }
              map { split /\n/ } $self->error_log,
                                 slurp("$self->{dir}/nginx.out");
    is_deeply(\@bad, [], 'nothing above error in the error log');

    if ($ENV{IM_VALGRIND}) {
        my $said = join '', map { slurp($_) } glob "$self->{dir}/valgrind.*";
        is($said, '', 'valgrind is silent');
    }

    $self->cleanup;
}


sub cleanup {
    my $self = shift;
    return if $self->{owner} != $$ || !delete $live{$self->{dir}};
    local ($?, $@, $!);
    delete @$self{qw(conn resp watch)};
    $self->{cluster}->stop if $self->{cluster};
    for my $pid (grep { $_ } @$self{qw(nginx redis_pid)}) {
        kill CONT => $pid;
        kill TERM => $pid;
        $self->poll(3, sub { !$self->running($pid) }) and !kill 0, -$pid
            or kill KILL => -$pid;
        waitpid $pid, 0 if !exists $self->{status}{$pid};
    }
    $ENV{IM_KEEP} ? diag("kept $self->{dir}") : remove_tree($self->{dir});
}


sub DESTROY { $_[0]->cleanup }


# --- small things

sub write_file {
    my ($self, $name, $text) = @_;
    open my $fh, '>:raw', "$self->{dir}/$name" or croak "$name: $!";
    print {$fh} $text;
    close $fh or croak "$name: $!";
    return "$self->{dir}/$name";
}


sub slurp {
    my $file = shift;
    open my $fh, '<:raw', $file or return '';
    local $/;
    return <$fh> // '';
}


# true as soon as $cb is, false after $seconds
sub wait_for {
    my ($seconds, $cb) = @_;
    my $end = time + $seconds;
    while (1) {
        my $v = $cb->();
        return $v if $v;
        return if time > $end;
        sleep 0.01;
    }
}


sub poll { my ($self, $s, $cb) = @_; return wait_for($s * $SCALE, $cb) }


# a test that is about something else than the way to Redis, and needs a plain one
sub plain_only {
    my ($why) = @_;
    my @mode = grep { $ENV{$_} } qw(IM_TLS IM_SENTINEL);
    plan(skip_all => "$why, so not with @mode") if @mode;
}


sub tcp { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[1]) }


# below the ports that the kernel gives to clients, so that none takes it in
# between, and another one for every process

my $port = $$ * 31;

sub free_port {
    for (1 .. 1000) {
        my $try = 10000 + $port++ % 20000;
        return $try if IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
            LocalAddr => '127.0.0.1', LocalPort => $try);
    }
    croak "no free port: $!";
}


sub spawn {     # a child in a process group of its own
    my ($self, $out, @cmd) = @_;
    my $pid = fork // croak "fork: $!";
    return $pid if $pid;
    setpgrp;
    $SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM HUP);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$self->{dir}/$out";
    open STDERR, '>&', \*STDOUT;
    exec { $cmd[0] } @cmd or POSIX::_exit(127);
}


sub running {
    my ($self, $pid) = @_;
    return 0 if exists $self->{status}{$pid};
    return 1 if waitpid($pid, POSIX::WNOHANG()) == 0;
    $self->{status}{$pid} = $?;
    return 0;
}


sub run {       # output of a command, both channels; status in $?
    my ($self, @cmd) = @_;
    my $pid = open(my $fh, '-|') // croak "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }
    local $/;
    my $out = <$fh>;
    close $fh;
    return $out;
}


1;
