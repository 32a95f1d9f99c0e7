package Names;

# A name server for one test: answers A and AAAA of the names it is told.
#
#     my $dns = Names->new;                        # on a port of its own
#     $dns->set('redis.test', 1, '127.0.0.2');     # TTL, addresses
#     $dns->set('redis.test');                     # there is no such name
#     $dns->silent;                                # no answer at all
#     $dns->asked;                                 # queries so far

use strict;
use warnings;

use Carp qw(croak);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Socket qw(AF_INET AF_INET6 inet_pton);

sub new {
    my ($class) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or croak "udp: $!";
    my $self = bless { port => $s->sockport, owner => $$, names => {},
                       dir => File::Temp::tempdir('im-names-XXXXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
    $self->write;
    pipe my $r, $self->{alive} or croak "pipe: $!";
    $self->{pid} = fork // croak "fork: $!";
    if (!$self->{pid}) {
        close $self->{alive};
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
        eval { $self->serve($s, $r) };
        POSIX::_exit(0);
    }
    close $r;
    return $self;
}

sub port { $_[0]{port} }

sub set {
    my ($self, $name, $ttl, @addrs) = @_;
    $self->{names}{$name} = [ $ttl // 1, @addrs ];
    $self->write;
}

sub silent { $_[0]{quiet} = 1; $_[0]->write }

sub write {
    my $self = shift;
    open my $fh, '>', "$self->{dir}/new" or croak $!;
    print $fh "silent\n" if delete $self->{quiet};
    print $fh join(' ', $_, @{ $self->{names}{$_} }), "\n" for sort keys %{ $self->{names} };
    close $fh;
    rename "$self->{dir}/new", "$self->{dir}/names" or croak $!;
}

sub asked { -s "$_[0]{dir}/asked" || 0 }

# in the child; it leaves with its parent
sub serve {
    my ($self, $s, $r) = @_;
    open my $asked, '>', "$self->{dir}/asked" or die $!;
    $asked->autoflush(1);
    while (1) {
        my $in = '';
        vec($in, fileno $_, 1) = 1 for $s, $r;
        select $in, undef, undef, undef;
        return if vec($in, fileno $r, 1);
        my $peer = $s->recv(my $q, 1500) // next;
        my ($id, undef, $n) = unpack 'nnn', $q;
        my ($at, @labels) = (12);
        while (my $len = ord substr $q, $at, 1) {
            push @labels, substr $q, $at + 1, $len;
            $at += 1 + $len;
        }
        my $type = unpack 'n', substr $q, $at + 1, 2;
        print $asked '.';
        open my $fh, '<', "$self->{dir}/names" or next;
        my @lines = map { [ split ] } <$fh>;
        next if grep { $_->[0] eq 'silent' } @lines;
        my ($found) = grep { $_->[0] eq lc join '.', @labels } @lines;
        my (undef, $ttl, @addrs) = @{ $found || [] };
        @addrs = map { inet_pton($type == 28 ? AF_INET6 : AF_INET, $_) // () } my @all = @addrs;
        $s->send(pack('nnnnnn', $id, 0x8180 | (@all ? 0 : 3), 1, scalar @addrs, 0, 0)
                 . substr($q, 12, $at + 5 - 12)
                 . join('', map { pack('nnnNn/a', 0xc00c, $type, 1, $ttl, $_) } @addrs), 0, $peer);
    }
}

sub DESTROY {
    my $self = shift;
    return if $self->{owner} != $$ || !$self->{pid};
    local ($?, $!);
    close $self->{alive};
    waitpid delete $self->{pid}, 0;
}

1;
