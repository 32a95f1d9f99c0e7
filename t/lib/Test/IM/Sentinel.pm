package Test::IM::Sentinel;

# Sentinels that watch a Redis on 127.0.0.1.
#
#     my $s = Test::IM::Sentinel->new(dir => $dir, master => $port, n => 3);
#     $s->servers;                        # "server ...;" for each of them
#     $s->cmd(0, qw(SENTINEL FAILOVER mymaster));
#     $s->master;                         # its port, as the first one tells
#
# new() takes: dir, master (port), n (1), quorum (1), conf (more lines of their
# configuration), args (of redis-server, such as TLS), port (a function that
# finds a free one), fast (1: everything ten times as often as by default).

use strict;
use warnings;

use Carp qw(croak);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

use Test::IM::Conn;


sub new {
    my ($class, %opt) = @_;
    my $self = bless { n => 1, quorum => 1, args => [], owner => $$, %opt }, $class;
    $self->start($_) for 0 .. $self->{n} - 1;
    $self->debug if $self->{fast};
    return $self;
}


sub start {
    my ($self, $i) = @_;
    my $port = $self->{ports}[$i] //= $self->{port}->();
    my $file = "$self->{dir}/sentinel$i.conf";
    if (!-e $file) {
        open my $fh, '>', $file or croak "$file: $!";
        print {$fh} <<"CONF";
port $port
bind 127.0.0.1
dir $self->{dir}
sentinel monitor mymaster 127.0.0.1 $self->{master} $self->{quorum}
sentinel down-after-milliseconds mymaster 1000
sentinel failover-timeout mymaster 1500
@{[ $self->{conf} // '' ]}
CONF
        close $fh;
    }
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/sentinel$i.out";
        open STDERR, '>&', \*STDOUT;
        exec { $Test::IM::REDIS } $Test::IM::REDIS, $file, '--sentinel', @{ $self->{args} }
            or POSIX::_exit(127);
    }
    $self->{pids}[$i] = $pid;
    my $end = time + 10 * $Test::IM::SCALE;
    until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)) {
        croak 'the Sentinel did not start' if time > $end;
        sleep 0.02;
    }
}


sub stop {
    my ($self, $i, $signal) = @_;
    my $pid = $self->{pids}[$i] or return;
    delete $self->{conn}[$i];
    kill CONT => $pid;
    kill $signal || 'KILL', $pid;
    waitpid $pid, 0;
    undef $self->{pids}[$i];
}


# what takes seconds by default (since Redis 7.0)

sub debug {
    my $self = shift;
    $self->cmd($_, qw(SENTINEL DEBUG info-period 200 ping-period 100 ask-period 100
                      publish-period 200 min-link-reconnect-period 200))
        for 0 .. $self->{n} - 1;
}


sub ports   { @{ $_[0]{ports} } }
sub servers { join ' ', map { "server 127.0.0.1:$_;" } $_[0]->ports }


# reply of a command; dies on an error

sub cmd {
    my ($self, $i, @cmd) = @_;
    my $c = $self->{conn}[$i] ||= do {
        my $c = Test::IM::Conn->new(IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{ports}[$i]) || croak("sentinel: $!"), 10 * $Test::IM::SCALE);
        $c;
    };
    $c->send(join '', '*' . @cmd . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @cmd);
    return $c->read_reply;
}


sub master {
    my ($self, $i) = @_;
    my $r = $self->cmd($i // 0, qw(SENTINEL GET-MASTER-ADDR-BY-NAME mymaster));
    return $r && $r->[1];
}


# does the first one see so many replicas that could take over?

sub replicas {
    my $self = shift;
    my $n = grep { my %r = @$_; $r{flags} eq 'slave' && $r{'master-link-status'} eq 'ok' }
            @{ $self->cmd(0, qw(SENTINEL REPLICAS mymaster)) };
    return $n;
}


# Orders that the Redis at this port becomes the master; true once it is.  A
# Sentinel may give up an order, which is given again then.

sub failover {
    my ($self, $port) = @_;
    for (1 .. 4) {
        eval { $self->cmd(0, qw(SENTINEL FAILOVER mymaster)) };
        my $end = time + 8 * $Test::IM::SCALE;
        while (time < $end) {
            return 1 if $self->master == $port;
            sleep 0.02;
        }
    }
    return;
}


sub end {
    my $self = shift;
    return if $self->{owner} != $$;
    local ($?, $@, $!);
    $self->stop($_) for 0 .. $#{ $self->{pids} || [] };
}


sub DESTROY { $_[0]->end }


1;
