package IM::Pool;

# Processes that work at the same time.  The parent gives a text to one that is
# idle and gets texts back: notes while it works, then the result.
#
#     my $pool = IM::Pool->new(4, sub { my ($text, $note) = @_; return $result });
#     $pool->give($i, $text);
#     for ($pool->wait) { my ($i, $kind, $text) = @$_; ... }
#
# A child ends when its parent is gone.

use strict;
use warnings;

use IO::Select;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);


sub new {
    my ($class, $jobs, $work) = @_;
    my $self = bless { select => IO::Select->new, workers => [] }, $class;

    for my $i (0 .. $jobs - 1) {
        socketpair my $mine, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
            or die "socketpair: $!\n";
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            close $mine;
            close $_->{fh} for @{ $self->{workers} };
            $SIG{INT} = 'IGNORE';
            $SIG{TERM} = 'DEFAULT';
            child($theirs, $work);
        }
        close $theirs;
        push @{ $self->{workers} }, { fh => $mine, pid => $pid };
        $self->{select}->add([ $mine, $i ]);
    }

    return $self;
}


sub child {
    my ($fh, $work) = @_;
    my $ok = eval {
        while (defined(my $text = receive($fh))) {
            my (undef, $body) = unpack 'a a*', $text;
            my $result = $work->($body, sub { transmit($fh, 'note', $_[0]) });
            transmit($fh, 'done', $result);
        }
        1;
    };
    my $error = $@;
    eval { transmit($fh, 'fail', $error) } if !$ok;
    POSIX::_exit($ok ? 0 : 1);
}


sub idle {
    my ($self) = @_;
    my $w = $self->{workers};
    return grep { !$w->[$_]{busy} } 0 .. $#$w;
}


sub busy {
    my ($self) = @_;
    return scalar grep { $_->{busy} } @{ $self->{workers} };
}


sub give {
    my ($self, $i, $text) = @_;
    $self->{workers}[$i]{busy} = 1;
    transmit($self->{workers}[$i]{fh}, 'task', $text);
}


# what has come within some seconds: [ worker, 'note' or 'done', text ]

sub wait {
    my ($self, $seconds) = @_;
    my @got;
    for my $ready ($self->{select}->can_read($seconds)) {
        my ($fh, $i) = @$ready;
        my $text = receive($fh) // die "a process of this program has died\n";
        my ($kind, $body) = unpack 'a a*', $text;
        die $body if $kind eq 'f';
        $self->{workers}[$i]{busy} = 0 if $kind eq 'd';
        push @got, [ $i, $kind eq 'd' ? 'done' : 'note', $body ];
    }
    return @got;
}


sub stop {
    my ($self) = @_;
    for my $w (splice @{ $self->{workers} }) {
        close $w->{fh};
        kill TERM => $w->{pid} if $w->{busy};
        waitpid $w->{pid}, 0;
    }
}


# frames: length, then the first letter of the kind and the text

sub transmit {
    my ($fh, $kind, $text) = @_;
    my $frame = pack 'N/a*', substr($kind, 0, 1) . $text;
    my $at = 0;
    while ($at < length $frame) {
        my $n = syswrite $fh, $frame, length($frame) - $at, $at;
        next if !defined $n && $!{EINTR};
        die "a process of this program is gone\n" if !$n;
        $at += $n;
    }
}


sub receive {
    my ($fh) = @_;
    my $head = exactly($fh, 4) // return;
    return exactly($fh, unpack 'N', $head);
}


sub exactly {
    my ($fh, $length) = @_;
    my $text = '';
    while (length $text < $length) {
        my $n = sysread $fh, $text, $length - length $text, length $text;
        next if !defined $n && $!{EINTR};
        return if !$n;
    }
    return $text;
}


1;
