package Bench::Site;

# One system under test: a private directory, a Redis on a unix socket in it
# (nothing is persisted) and a server with one worker on a free port of
# 127.0.0.1.  kind: module, lua, plain (Lua without the tuning), fastify, limit.

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use Bench::Client;
use Bench::Data;

our $HERE = abs_path(dirname(__FILE__) . '/../..');
our $ROOT = abs_path("$HERE/../..");

my %live;
my $json = JSON::PP->new->canonical;      # texts are bytes already

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END { my $rc = $?; $_->stop for values %live; $? = $rc }


sub new {
    my ($class, $kind, %opt) = @_;
    my $self = bless { kind => $kind, workers => 1, connections => 4096,
                       %opt, owner => $$ }, $class;
    $self->{dir} = File::Temp::tempdir('im-bench-XXXXXXXX', TMPDIR => 1);
    $self->{sock} = "$self->{dir}/redis.sock";
    $self->{port} = free_port();
    $live{$self->{dir}} = $self;
    return $self;
}

sub port { $_[0]{port} }
sub sock { $_[0]{sock} }
sub kind { $_[0]{kind} }


sub start {
    my $self = shift;
    $self->start_redis unless $self->{kind} eq 'limit';
    my @cmd = $self->{kind} eq 'fastify'
        ? ('node', "$HERE/peers/fastify/im.js", $self->{port}, $self->{sock},
           "$HERE/peers/schema")
        : (@{ $self->{under} || [] }, nginx(), '-p', $self->{dir}, '-e', "$self->{dir}/error.log",
           '-c', $self->conf);
    local $ENV{NODE_ENV} = 'production';
    $self->{server} = $self->spawn(@cmd);
    my $until = time + ($self->{under} ? 60 : 15);
    until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})) {
        croak "$self->{kind} does not start:\n" . $self->log
            if time > $until || waitpid($self->{server}, POSIX::WNOHANG) > 0;
        sleep 0.02;
    }
    return $self;
}


sub start_redis {
    my $self = shift;
    $self->{redis} = $self->spawn('redis-server', '--port', 0, '--unixsocket',
        $self->{sock}, '--dir', $self->{dir}, '--save', '', '--appendonly', 'no',
        '--maxclients', 4000);
    my $until = time + 10;
    until (IO::Socket::UNIX->new(Peer => $self->{sock})) {
        croak 'redis-server does not start: ' . $self->log if time > $until;
        sleep 0.02;
    }
}


sub conf {
    my $self = shift;
    my $single = $self->{single};
    my %v = (
        %$self, redis => $self->{sock}, peers => "$HERE/peers",
        modules => modules_path(),
        lua => $self->{kind} eq 'plain' ? 'plain' : 'im',
        module => $ENV{IM_MODULE} || "$ROOT/build/ngx_http_im_module.so",
        main => join("\n", ($> == 0 ? 'user root;' : ()), 'daemon off;',
            ($single ? 'master_process off;' : "worker_processes $self->{workers};"),
            "pid $self->{dir}/nginx.pid;"),
        http => join("\n    ", 'access_log off;', 'keepalive_requests 1000000000;',
            'keepalive_timeout 600s;',
            map { "${_}_temp_path $self->{dir}/$_;" } qw(client_body proxy fastcgi uwsgi scgi)),
    );
    my $name = $self->{kind} eq 'plain' ? 'lua' : $self->{kind};
    my $text = slurp("$HERE/conf/$name.conf");
    $text =~ s/\{\{(\w+)\}\}/$v{$1} \/\/ croak "nothing for $1"/ge;
    my $file = "$self->{dir}/nginx.conf";
    open my $fh, '>', $file or croak "$file: $!";
    print $fh $text;
    close $fh;
    return $file;
}


# the configuration that answers { path => body } with `return 200`

sub bodies {
    my ($of) = @_;
    my $n = 0;
    return join "\n        ", map {
        my ($path, $body) = ($_, $of->{$_});
        my (@set, $names);
        $body =~ s/([\\"])/\\$1/g;
        # cut between two characters, not inside an escape
        while (length $body > 3500) {
            my $cut = 3500;
            $cut-- while substr($body, $cut, 1) =~ /[\x80-\xbf"]/ || substr($body, $cut - 1, 1) eq '\\';
            push @set, substr $body, 0, $cut, '';
        }
        if (@set) {
            push @set, $body;
            @set = map { $n++; $names .= "\${b$n}"; "set \$b$n \"$_\";" } @set;
            $body = $names;
        }
        "location $path { @set return 200 \"$body\"; }";
    } sort keys %$of;
}


# pids of what serves, the worker first
sub worker_pids {
    my $self = shift;
    return $self->{server} if $self->{single} || $self->{kind} eq 'fastify';
    return split ' ', slurp("/proc/$self->{server}/task/$self->{server}/children");
}

# resident KiB of the workers
sub rss {
    my $self = shift;
    my $sum = 0;
    for my $pid ($self->worker_pids) {
        $sum += $1 if slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    }
    return $sum;
}

sub memory { redis_info($_[0]{sock}, 'memory')->{used_memory} }


# --- the data; returns the bytes of Redis memory per message

sub seed {
    my $self = shift;
    my @profiles = Bench::Data::profiles();
    while (my @some = splice @profiles, 0, 250) {
        $self->must('/im/user/set', { users => \@some });
    }
    for (Bench::Data::groups()) {
        my ($id, $owner, @members) = @$_;
        $self->must('/im/creat/group', { conv_id => $id, owner_id => $owner,
            name => "group $id", member => \@members });
    }
    my $before = $self->memory;
    my $n = $self->{kind} eq 'module' ? $self->seed_http : $self->seed_script;
    return ($self->memory - $before) / $n;
}


sub must {
    my ($self, $path, $body) = @_;
    my ($status, $text) = http_call($self->{port}, $path, $json->encode($body));
    croak "$self->{kind}: $path: $status $text" unless $status == 200;
    return $text;
}


# the module's messages go in by its own API

sub seed_http {
    my $self = shift;
    my @queue = map { [] } 1 .. 64;
    my $n = Bench::Data::messages(sub {
        my ($conv, $from, $to, $text) = @_;
        push @{ $queue[$conv % 64] }, post_text('/im/send/msg',
            qq({"from_id":"$from","to_id":"$to","msg_type":0,"msg":"$text"}));
    });
    http_drive($self->{port}, \@queue);
    return $n;
}


# the peers' by the script their API calls

sub seed_script {
    my $self = shift;
    my $plain = $self->{kind} eq 'plain';
    my $script = slurp("$HERE/peers/" . ($plain ? 'lua/plain_send.lua' : 'schema/send.lua'));
    my ($head, $rows) = $plain ? qw(conv msg) : qw(h m);
    my $sha = Bench::Client::script_sha($script);
    my (@cmd, %conv);
    Bench::Client::redis_raw($self->{sock}, 'SCRIPT', 'LOAD', $script);
    my $n = Bench::Data::messages(sub {
        my ($conv, $from, $to, $text) = @_;
        my $id = $conv{$conv} ||= pair_id($from, $to);
        push @cmd, resp('EVALSHA', $sha, 2, "$head:$id", "$rows:$id", $id, $from, $to,
            0, qq("$text"), sprintf('%08x', rand 2**32), '', 86400000);
    });
    redis_pipe($self->{sock}, sub { shift @cmd });
    return $n;
}

sub pair_id {
    require Digest::MD5;
    return substr Digest::MD5::md5_hex(join ' ', sort @_), 0, 24;
}


# --- processes

sub spawn {
    my ($self, @cmd) = @_;
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/out";
        open STDERR, '>&', \*STDOUT;
        exec @cmd or POSIX::_exit(127);
    }
    return $pid;
}

sub log {
    my $self = shift;
    return join '', map { -e "$self->{dir}/$_" ? slurp("$self->{dir}/$_") : '' } qw(out error.log);
}

sub stop_server {
    my $self = shift;
    end($_) for grep { defined } delete $self->{server};
}

sub stop {
    my $self = shift;
    return if $self->{owner} != $$ || !delete $live{$self->{dir}};
    end($_) for grep { defined } delete @$self{qw(server redis)};
    remove_tree($self->{dir}) unless $ENV{BENCH_KEEP};
}

sub end {
    my ($pid) = @_;
    kill TERM => $pid;
    for (1 .. 250) {
        return if waitpid($pid, POSIX::WNOHANG) != 0;
        sleep 0.02;
    }
    kill KILL => -$pid, $pid;
    waitpid $pid, 0;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or return '';
    local $/;
    return <$fh> // '';
}

sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or croak $!;
    return $s->sockport;
}

sub nginx { $ENV{IM_NGINX} || '/usr/sbin/nginx' }

sub modules_path {
    my $v = qx(${\ nginx()} -V 2>&1);
    return $v =~ /--modules-path=(\S+)/ ? $1 : '/usr/lib/nginx/modules';
}

1;
