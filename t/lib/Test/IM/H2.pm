package Test::IM::H2;

# HTTP/2 frame by frame, for what curl cannot do: stop in the middle of a
# body, leave answers unread.  Headers are sent as literals, and of the answer
# only the bytes of DATA frames and how a stream ended are looked at.

use strict;
use warnings;

use Time::HiRes qw(time);

my ($DATA, $HEADERS, $RST, $SETTINGS, $WINDOW) = (0, 1, 3, 4, 8);


# %opt: window, of each stream (65535)
sub new {
    my ($class, $conn, %opt) = @_;
    my $self = bless { conn => $conn, next => 1, streams => {} }, $class;
    $conn->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame($SETTINGS, 0, 0, pack 'nN', 4, $opt{window} // 65535);
    return $self;
}


sub frame {
    my ($self, $type, $flags, $stream, $payload) = @_;
    $payload //= '';
    $self->{conn}->send(substr(pack('N', length $payload), 1)
                        . pack('CCN', $type, $flags, $stream) . $payload);
}


# a request without its body; the number of the stream
sub request {
    my ($self, $path, %opt) = @_;
    my $stream = $self->{next};
    my @h = ([ ':method', $opt{method} // 'POST' ], [ ':scheme', 'http' ],
             [ ':path', $path ], [ ':authority', $opt{host} // 'localhost' ],
             map { /^([^:]+):\s*(.*)$/ ? [ lc $1, $2 ] : () }
             @{ $opt{headers} || [] });
    $self->{next} += 2;
    $self->frame($HEADERS, 4 | ($opt{end} ? 1 : 0), $stream,
        join '', map { "\0" . string($_->[0]) . string($_->[1]) } @h);
    return $stream;
}


sub string {
    my $s = shift;
    my $n = length $s;
    return chr($n) . $s if $n < 127;
    die 'too long' if $n > 254;
    return "\x7f" . chr($n - 127) . $s;
}


sub data {
    my ($self, $stream, $bytes, $end) = @_;
    my @parts = length $bytes ? unpack '(a16384)*', $bytes : '';
    $self->frame($DATA, $end && $_ == $#parts ? 1 : 0, $stream, $parts[$_])
        for 0 .. $#parts;
}


sub post {
    my ($self, $path, $body, %opt) = @_;
    my $stream = $self->request($path, %opt,
        headers => [ 'content-length: ' . length $body,
                     @{ $opt{headers} || [] } ]);
    $self->data($stream, $body, 1);
    return $stream;
}


# lets the other side send that many bytes more, on a stream or (0) on all
sub window { $_[0]->frame($WINDOW, 0, $_[1], pack 'N', $_[2]) }


# the next frame, or nothing at the end or after $seconds without one
sub read {
    my ($self, $seconds) = @_;
    my $conn = $self->{conn};
    return if length $conn->{in} < 9 && !$conn->readable($seconds);
    my $end = time + $conn->{timeout};
    my $head = eval { $conn->bytes(9, $end) } // return;
    my ($len, $type, $flags, $stream) = (unpack('N', "\0" . substr $head, 0, 3),
                                         unpack 'x3CCN', $head);
    my $payload = $len ? $conn->bytes($len, $end) : '';
    my $s = $self->{streams}{$stream} ||= { body => '' };

    if ($type == $DATA) { $s->{body} .= $payload }
    if ($type == $RST) { $s->{reset} = 1 }
    if ($type == $HEADERS) { $s->{headers} = 1 }
    if ($type <= $HEADERS && $flags & 1) { $s->{done} = 1 }
    if ($type == $SETTINGS && !($flags & 1)) { $self->frame($SETTINGS, 1, 0) }
    return $type + 1;
}


# body of the stream's answer, when it is whole
sub answer {
    my ($self, $stream, $seconds) = @_;
    my $end = time + $seconds;
    my $s = $self->{streams}{$stream} ||= { body => '' };
    while (!$s->{done} && !$s->{reset} && time < $end) {
        $self->read($end - time) or last;
    }
    return $s->{done} ? $s->{body} : undef;
}


1;
