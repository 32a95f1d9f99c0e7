package Proxy;

# Starts t/fault/proxy and gives it orders.
#
#     my $p = Proxy->new(listen => 'unix:/x/p.sock', to => 'unix:/x/redis.sock');
#     $p->cut('reply', 3);                  # any order of the proxy is a method
#     $p->answer("-LOADING wait\r\n", 'always', '^evalsha');
#     $p->stat->{accepted};
#     $p->pass;

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use Fcntl;
use File::Basename qw(dirname);
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

my $program = abs_path(dirname(__FILE__)) . '/proxy';

our $AUTOLOAD;

# a script of a call: those that a handshake tries have no keys
our $SCRIPT = '^evalsha \S+ [1-9]';


sub new {
    my ($class, %opt) = @_;
    my $self = bless { %opt, owner => $$ }, $class;
    my ($path) = $opt{listen} =~ /^unix:(.*)/;

    $self->{control} //= $path ? "$path.control" : croak 'no control socket';

    # it leaves when this pipe does
    pipe my $r, $self->{alive} or croak "pipe: $!";
    $self->{pid} = fork // croak "fork: $!";
    if (!$self->{pid}) {
        setpgrp;
        POSIX::dup2(fileno $r, 0);
        open STDOUT, '>', '/dev/null';
        exec $^X, $program, '--with-parent', '--listen', $opt{listen}, '--to', $opt{to},
            '--control', $self->{control} or POSIX::_exit(127);
    }
    close $r;

    my $end = time + 5 * ($ENV{IM_SCALE} || 1);
    until ($self->{sock} = IO::Socket::UNIX->new(Peer => $self->{control})) {
        croak 'the proxy did not start' if time > $end || waitpid($self->{pid}, 1) > 0;
        sleep 0.01;
    }

    return $self;
}


sub order {
    my ($self, $name, @arg) = @_;
    $name =~ tr/_/-/;
    $arg[0] = escape($arg[0]) if $name =~ /^(?:answer|replace|extra|inject)$/;
    print { $self->{sock} } join(' ', $name, @arg), "\n";
    $self->{sock}->flush;
    my $line = readline $self->{sock};
    defined $line && $line =~ /^ok/ or croak "proxy: $name: " . ($line // 'gone');
    return $line;
}


sub escape {
    my $b = shift;
    $b =~ s/([^\x21-\x5b\x5d-\x7e])/sprintf '\\x%02x', ord $1/ge;
    return length $b ? $b : '\\0';
}


sub stat {
    my $self = shift;
    return { map { split /=/ } grep { /=/ } split ' ', $self->order('stat') };
}


sub stop {
    my $self = shift;
    return if !$self->{pid} || $self->{owner} != $$;
    local ($?, $!);
    kill KILL => $self->{pid};
    waitpid delete $self->{pid}, 0;
    unlink $self->{control}, $self->{listen} =~ /^unix:(.*)/;
}


sub AUTOLOAD {
    my $self = shift;
    my $name = $AUTOLOAD =~ s/.*:://r;
    croak "no method $name" if $name !~ /^[a-z_]+$/ || !ref $self;
    return $self->order($name, @_);
}


sub DESTROY { $_[0]->stop }


1;
