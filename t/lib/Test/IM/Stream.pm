package Test::IM::Stream;

# A stream of Server-Sent Events, read by the rules of the HTML standard.
#
#     my $s = Test::IM::Stream->new($t, '/stream?user=ann');
#     $s->wait_for('ready') or ...
#     my @e = $s->events;         # each { event, id, data (decoded), raw }
#
# wait(seconds, sub) reads until the sub is true, or the stream ends.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8;


sub new {
    my ($class, $t, $uri, %opt) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $opt{port} || $t->port,
                                     ($opt{rcvbuf} ? (Proto => 'tcp') : ()))
        or die "connect: $!";
    setsockopt $sock, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), $opt{rcvbuf} if $opt{rcvbuf};
    $sock->blocking(0);
    my $self = bless { t => $t, sock => $sock, in => '', body => '', events => [],
                       id => $opt{last} // '', version => $opt{version} // '1.1' }, $class;
    my %h = (Host => 'localhost', %{ $opt{headers} || {} });
    $h{'Last-Event-ID'} = $opt{last} if defined $opt{last};
    my $out = join("\r\n", ($opt{method} || 'GET') . " $uri HTTP/$self->{version}",
                   map({ "$_: $h{$_}" } sort keys %h), '', '');
    syswrite $sock, $out;
    $self->read_some(0) if $opt{lazy};
    return $self;
}


sub status  { $_[0]->wait(5, sub { $_[0]{status} }); $_[0]{status} }
sub header  { $_[0]->wait(5, sub { $_[0]{status} }); $_[0]{headers}{lc $_[1]} }
sub events  { @{ $_[0]{events} } }
sub named   { my ($self, $n) = @_; grep { $_->{event} eq $n } @{ $self->{events} } }
sub last_id { $_[0]{id} }
sub retry   { $_[0]{retry} }
sub ended   { $_[0]{ended} }
sub body    { $_[0]{body} }
sub comments { $_[0]{comments} // 0 }
sub close   { CORE::close $_[0]{sock}; $_[0]{ended} = 1 }


# the texts of messages, in order
sub texts { my ($self, $conv) = @_;
    map { $_->{data}{msg} } grep { !defined $conv || $_->{data}{conv_id} eq $conv } $self->named('message') }


sub wait {
    my ($self, $seconds, $cb) = @_;
    my $end = time + $seconds * ($Test::IM::SCALE || 1);
    until ($cb->($self)) {
        return 0 if $self->{ended};
        my $left = $end - time;
        return 0 if $left <= 0;
        $self->read_some($left < 0.5 ? $left : 0.5);
    }
    return 1;
}


sub wait_for {      # at least n events of a name
    my ($self, $name, $n, $seconds) = @_;
    return $self->wait($seconds || 10, sub { (() = $_[0]->named($name)) >= ($n || 1) });
}


sub wait_end { my ($self, $s) = @_; $self->wait($s || 10, sub { $_[0]{ended} }) || $self->{ended} }


# reads for a while, and gives what came
sub drain {
    my ($self, $seconds) = @_;
    my $end = time + $seconds;
    while (!$self->{ended} && (my $left = $end - time) > 0) { $self->read_some($left) }
    return $self;
}


sub read_some {
    my ($self, $seconds) = @_;
    return if $self->{ended} || !IO::Select->new($self->{sock})->can_read($seconds);
    my $n = sysread $self->{sock}, my $buf, 262144;
    if (!$n) {
        $self->{ended} = 1 if defined $n || !$!{EAGAIN};
        return;
    }
    $self->{in} .= $buf;
    $self->parse;
}


sub parse {
    my $self = shift;
    if (!$self->{status}) {
        return if $self->{in} !~ s/^HTTP\/1\.[01] (\d+)[^\n]*\r\n(.*?\r\n)\r\n//s;
        $self->{status} = $1;
        for (split /\r\n/, $2) {
            my ($k, $v) = /^([^:]+): *(.*)/ or next;
            $self->{headers}{lc $k} = $v;
        }
    }
    if (($self->{headers}{'transfer-encoding'} // '') eq 'chunked') {
        while ($self->{in} =~ /^([0-9a-f]+)\r\n/i) {
            my ($len, $head) = (hex $1, length($1) + 2);
            last if length $self->{in} < $head + $len + 2;
            $self->{body} .= substr $self->{in}, $head, $len;
            die "bad chunk\n" if substr($self->{in}, $head + $len, 2) ne "\r\n";
            substr($self->{in}, 0, $head + $len + 2) = '';
            $self->{ended} = $self->{complete} = 1 if $len == 0;
        }
    }
    else {
        $self->{body} .= $self->{in};
        $self->{in} = '';
    }
    return if ($self->{headers}{'content-type'} // '') !~ /event-stream/;
    while ($self->{body} =~ s/^(.*?)\n\n//s) {
        my ($event, $data, @data) = ('message');
        for my $line (split /\n/, $1) {
            if    ($line =~ /^:/)               { $self->{comments}++ }
            elsif ($line =~ /^event: ?(.*)/)    { $event = $1 }
            elsif ($line =~ /^id: ?(.*)/)       { $self->{id} = $1 }
            elsif ($line =~ /^retry: ?(\d+)$/)  { $self->{retry} = $1 }
            elsif ($line =~ /^data: ?(.*)/)     { push @data, $1 }
            elsif (length $line)                { die "a line of no form: $line\n" }
        }
        next if !@data;
        $data = join "\n", @data;
        push @{ $self->{events} }, { event => $event, id => $self->{id}, raw => $data,
                                     data => $json->decode($data), at => time };
    }
}

1;
