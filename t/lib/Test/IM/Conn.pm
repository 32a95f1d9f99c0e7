package Test::IM::Conn;

# A buffered socket with deadlines: sends bytes as they are, reads HTTP/1.1
# responses and RESP replies.  A handler given to new() gets each response with
# the request that it belongs to.

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use Time::HiRes qw(time);


sub new {
    my ($class, $sock, $timeout, $handler) = @_;
    $sock->autoflush(1);
    return bless { sock => $sock, timeout => $timeout, in => '',
                   handler => $handler, out => '' }, $class;
}


sub send {
    my ($self, $bytes) = @_;
    my $off = 0;
    $self->{out} .= $bytes if $self->{handler};
    while ($off < length $bytes) {
        my $n = syswrite $self->{sock}, $bytes, length($bytes) - $off, $off;
        croak "send: $!" if !defined $n;
        $off += $n;
    }
    return $self;
}


sub close { CORE::close($_[0]{sock}) }


sub reset {     # close with RST instead of FIN
    my $self = shift;
    setsockopt $self->{sock}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
               pack 'II', 1, 0;
    CORE::close($self->{sock});
}


sub stale {     # closed by the other side, or with bytes nobody asked for
    my $self = shift;
    return $self->{closed} || length $self->{in}
        || IO::Select->new($self->{sock})->can_read(0);
}


sub readable {  # something to read, or the end, within $seconds
    my ($self, $seconds) = @_;
    return length $self->{in}
        || IO::Select->new($self->{sock})->can_read($seconds);
}


# one more piece into the buffer, false at the end of the stream
sub fill {
    my ($self, $end) = @_;
    my $left = $end - time;
    $left > 0 && IO::Select->new($self->{sock})->can_read($left)
        or croak "no answer within $self->{timeout} s, got: '$self->{in}'";
    my $n = sysread $self->{sock}, $self->{in}, 262144, length $self->{in};
    return $n;
}


sub line {
    my ($self, $end) = @_;
    while (1) {
        my $i = index $self->{in}, "\r\n";
        if ($i >= 0) {
            my $line = substr $self->{in}, 0, $i;
            substr($self->{in}, 0, $i + 2) = '';
            return $line;
        }
        $self->fill($end) or return;
    }
}


sub bytes {
    my ($self, $n, $end) = @_;
    while (length $self->{in} < $n) {
        $self->fill($end) or croak "cut off after '$self->{in}'";
    }
    return substr $self->{in}, 0, $n, '';
}


# undef when the connection was closed instead; 100 Continue is passed over
# and told as $r->continued
sub read_response {
    my ($self, %opt) = @_;
    my $end = time + $self->{timeout};
    my $continued;

    while (1) {
        my $status = $self->line($end);
        if (!defined $status) { $self->{closed} = 1; return }
        my ($code) = $status =~ m{^HTTP/1\.1 (\d{3})}
            or croak "not a status line: '$status'";
        my (@list, %h);
        while (length(my $line = $self->line($end) // '')) {
            my ($name, $value) = split /:\s*/, $line, 2;
            push @list, [ $name, $value ];
            $h{lc $name} = $value;
        }
        if ($code == 100) { $continued = 1; next }

        my $body = '';
        if ($opt{head} || $code == 204 || $code == 304) {
            # no body
        } elsif (($h{'transfer-encoding'} // '') eq 'chunked') {
            while (my $n = hex $self->line($end)) {
                $body .= $self->bytes($n, $end);
                $self->line($end);
            }
            $self->line($end);
        } elsif (defined $h{'content-length'}) {
            $body = $self->bytes($h{'content-length'}, $end);
        } else {
            1 while $self->fill($end);
            $body = $self->{in};
            $self->{in} = '';
        }
        $self->{closed} = 1 if ($h{connection} // '') eq 'close';

        my $r = bless { status => $code, headers => \%h, list => \@list,
                        body => $body, continued => $continued,
                        closed => $self->{closed} }, 'Test::IM::Response';

        if (my $handler = $self->{handler}) {
            my $request = $self->request_next;
            $handler->($request, $r) if $request;
        }

        return $r;
    }
}


# The first request of what was sent.  When its form is not understood, or its
# end is not there, requests are no longer told apart.

sub request_next {
    my $self = shift;
    my ($method, $path, $headers)
        = $self->{out} =~ s{^([A-Z]+)\ (\S+)\ HTTP/1\.[01]\r\n
                            ((?:[^\r\n]+\r\n)*)\r\n}{}x
        ? ($1, $2, $3) : ();
    my $body;

    if (!defined $method) {
        # not a request

    } elsif ($headers =~ /^Transfer-Encoding:/mi) {
        my $chunks = '';
        while ($self->{out} =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n//) {
            my $n = hex $1;
            last if length $self->{out} < $n + 2;
            $chunks .= substr $self->{out}, 0, $n;
            substr($self->{out}, 0, $n + 2) = '';
            if ($n == 0) { $body = $chunks; last }
        }

    } else {
        my ($n) = $headers =~ /^Content-Length:\s*(\d+)\s*$/mi;
        $body = substr $self->{out}, 0, $n || 0, ''
            if length $self->{out} >= ($n || 0);
    }

    if (!defined $body) {
        delete $self->{handler};
        $self->{out} = '';
    }

    return defined $method
           ? { method => $method, path => $path, body => $body } : undef;
}


# the output of curl -i
sub parse_text {
    my $text = shift;
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    ($head, $body) = split /\r\n\r\n/, $body, 2
        if defined $body && $head =~ m{^HTTP/\S+ 100};
    my ($status, @lines) = split /\r\n/, $head // '';
    my ($code) = ($status // '') =~ m{^HTTP/\S+ (\d{3})}
        or return bless { status => 0, headers => {}, body => $text },
                        'Test::IM::Response';
    my @list = map { [ split /:\s*/, $_, 2 ] } @lines;
    return bless { status => $code, list => \@list, body => $body // '',
                   headers => { map { lc $_->[0] => $_->[1] } @list } },
                 'Test::IM::Response';
}


sub read_reply {
    my ($self, $end) = @_;
    $end //= time + $self->{timeout};
    my $line = $self->line($end) // croak 'redis closed the connection';
    my ($type, $rest) = $line =~ /^(.)(.*)$/s;

    return $rest if $type eq '+' || $type eq ':';
    die "redis: $rest\n" if $type eq '-';
    return if $rest < 0;
    if ($type eq '$') {
        my $v = $self->bytes($rest, $end);
        $self->line($end);
        return $v;
    }
    return [ map { $self->read_reply($end) } 1 .. $rest ] if $type eq '*';
    croak "not a reply: '$line'";
}


package Test::IM::Response;

use JSON::PP ();

my $decoder = JSON::PP->new->utf8->allow_nonref;

sub status    { $_[0]{status} }
sub headers   { $_[0]{headers} }
sub header    { $_[0]{headers}{lc $_[1]} }
sub body      { $_[0]{body} }
sub continued { $_[0]{continued} }
sub closed    { $_[0]{closed} }
sub json      { $_[0]{json} //= $decoder->decode($_[0]{body}) }
sub conv_id   { $_[0]{headers}{'x-im-conv-id'} }
sub msg_id    { $_[0]{headers}{'x-im-msg-id'} }
sub msg_time  { $_[0]{headers}{'x-im-msg-time'} }

sub code {      # of a refusal, else ''
    my $self = shift;
    my $j = eval { $self->json };
    return ref $j eq 'HASH' && defined $j->{code} ? $j->{code} : '';
}

sub error { my $j = eval { $_[0]->json }; ref $j eq 'HASH' ? $j->{error} : '' }


1;
